"""A bug (500) tells no secret: not in its answer, in no server's log, and in no repr."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from taskq_server.core.config import Settings
from taskq_server.core.database import DatabaseError
from taskq_server.domain.keys import Token, new_token
from taskq_server.runtime import open_runtime
from taskq_server.services import admin_key
from tests.support.children import Child
from tests.support.foreign import COMMANDS, foreign_server
from tests.support.keys import KeyStore, shown
from tests.support.mariadb import MariaDBServer
from tests.support.ports import free_port
from tests.support.processes import ServerProcess, run_server_command
from tests.support.waiting import wait_until

PASSWORD = "PLANTED-of-the-database"
OF_REDIS = "PLANTED-of-redis"
TABLES = ("tasks", "handlers", "api_keys")  # the last one is the guard's
TASK = {"handler": "taskq.echo", "payload": {"value": "PLANTED-in-a-payload"}}
REQUESTS = (
    ("GET", "/tasks"),
    ("GET", "/tasks?limit=5"),
    ("POST", "/tasks"),
    ("POST", "/tasks/batch"),
    ("GET", "/handlers"),
    ("POST", "/keys"),
)


@dataclass(frozen=True)
class Planted:
    """A database with a password, a key, and the settings of a server with both."""

    url: str
    as_root: str
    admin: Token
    key: Token
    settings: dict[str, str]

    @property
    def database(self) -> str:
        """The name of the database."""
        return self.as_root.rpartition("/")[2].partition("?")[0]

    def assert_nowhere(self, seen: str) -> None:
        """Check that a text has none of the secrets."""
        secrets = ("PLANTED", self.admin.secret, self.key.secret)
        assert [each for each in secrets if each in seen] == []


@pytest.fixture
def planted(mariadb_server: MariaDBServer, mariadb_url: str, tmp_path: Path) -> Iterator[Planted]:
    assert run_server_command(["db", "upgrade"], {"TASKQ_DATABASE_URL": mariadb_url}).stdout
    admin = new_token()
    file = tmp_path / "admin.key"
    file.write_text(admin.text)
    file.chmod(0o600)
    with mariadb_server.account(mariadb_url) as url:
        name = url.partition("//")[2].partition("@")[0]
        mariadb_server.sql(f"ALTER USER {name}@'%' IDENTIFIED BY '{PASSWORD}'")
        url = url.replace("@", f":{PASSWORD}@", 1)
        settings = {
            "TASKQ_DATABASE_URL": url,
            "TASKQ_REDIS_URL": f"redis://:{OF_REDIS}@127.0.0.1:{free_port()}/0",
            "TASKQ_AUTH": "required",
            "TASKQ_ADMIN_KEY_FILE": str(file),
            "TASKQ_LOG_LEVEL": "DEBUG",
        }
        key = KeyStore(mariadb_url).make("admin", "tasks:read", "tasks:run:*")
        yield Planted(url, mariadb_url, admin, key, settings)


@contextmanager
def serving(name: str, planted: Planted, folder: Path) -> Iterator[tuple[httpx.Client, Child]]:
    """A client of a server that is ready."""
    port = free_port()
    process: Child
    if name in COMMANDS:
        process = foreign_server(name, planted.settings, folder / "log", port)
    else:
        process = ServerProcess(["api", f"--port={port}"], planted.settings, folder / "log")
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:

        def ready() -> bool:
            assert process.running, process.output()
            try:
                return client.get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_until(ready, 180, f"{url}/readyz", 0.05, process.output)
            yield client, process
        finally:
            process.stop()


@pytest.mark.parametrize("server", ["taskq-server", "uvicorn"])
def test_neither_answer_nor_log_nor_arguments_have_one(
    planted: Planted, mariadb_server: MariaDBServer, tmp_path: Path, server: str
) -> None:
    wrong = Token(planted.key.id, "PLANTED" * 6 + "x")
    seen = []
    with serving(server, planted, tmp_path) as (client, process):
        assert client.get("/tasks", headers=shown(planted.key)).status_code == 200
        assert client.get("/keys", headers=shown(planted.admin)).status_code == 200
        statuses = set()
        for table in TABLES:
            mariadb_server.sql(f"RENAME TABLE {table} TO away_{table}", planted.database)
            for method, path in REQUESTS:
                for token in (planted.key, planted.admin, wrong):
                    answer = client.request(method, path, headers=shown(token), json=TASK)
                    statuses.add(answer.status_code)
                    seen.append(f"{answer.headers}{answer.text}")
        seen.append(Path(f"/proc/{process.pid}/cmdline").read_text())
    assert 500 in statuses
    log = (tmp_path / "log").read_text()
    assert log.count("Traceback (most recent call last)") > 3
    assert "guard.py" in log
    planted.assert_nowhere(log + "".join(seen))


async def test_no_repr_has_one(
    planted: Planted, mariadb_server: MariaDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in planted.settings.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    admin = admin_key.of(settings)
    assert admin == planted.admin
    seen = [repr(settings), str(settings), repr(settings.model_dump()), repr(admin)]
    async with open_runtime(settings, admin=admin) as runtime:
        found = await runtime.authentication.caller(planted.key.text)
        seen += [repr(runtime), repr(found), repr(await runtime.keys.own(found))]
        seen += [repr(vars(runtime.authentication)), repr(vars(runtime.database))]
        seen += [repr(runtime.database.engine), repr(vars(runtime.redis or runtime))]
        mariadb_server.sql("RENAME TABLE api_keys TO away", planted.database)
        with pytest.raises(DatabaseError) as failed:
            await runtime.authentication.caller(new_token(planted.key.id).text)
        seen += ["".join(traceback.format_exception(failed.value)), repr(failed.value)]
    planted.assert_nowhere("".join(seen))

"""`taskq-server keys`, as the processes that operators start."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from click.testing import Result

from taskq_server import migrations
from taskq_server.core.database import Connection, Database
from taskq_server.crud import bulk, schedules
from taskq_server.domain.bulk import Action, NewOperation, begin
from taskq_server.domain.errors import TaskqError
from taskq_server.domain.requests import TaskFilter
from taskq_server.domain.task import Status
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, run_server_command
from tests.support.schedules import make_schedule
from tests.support.waiting import wait_until
from tests.unit.server.cli.screen_files import shown

Keys = Callable[..., Result]
KEY = re.compile(r"tq_([0-9A-Za-z]{12})_([0-9A-Za-z_-]{43})\n")


@pytest.fixture
def migrated(database_url: str) -> dict[str, str]:
    """The settings of a migrated database of each kind."""
    asyncio.run(_migrate(database_url))
    return {"TASKQ_DATABASE_URL": database_url}


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrations.upgrade(database)
    await database.close()


@pytest.fixture
def keys(migrated: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Run `taskq-server keys` in this process, because a process of its own takes a second."""
    for name, value in migrated.items():
        monkeypatch.setenv(name, value)
    return partial(shown, "keys")


def asked(keys: Keys, *words: str) -> Any:
    """What a command prints as JSON."""
    done = keys(*words, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def test_a_key_is_printed_alone_and_once(keys: Keys) -> None:
    assert (
        keys("list").stderr
        == "There are no keys: `taskq-server keys create NAME --scope SCOPE` makes one.\n"
    )
    done = keys("create", "web", "--scope", "tasks:run:reports.*", "--scope", "tasks:read")
    assert done.exit_code == 0
    found = KEY.fullmatch(done.stdout)
    assert found is not None
    key_id, secret = found.groups()
    assert secret not in done.stderr
    (sentence,) = done.stderr.splitlines()
    assert f"{key_id}, web, for default, with tasks:run:reports.*, tasks:read." in sentence
    assert sentence.endswith("It is the first: from now on the API asks for keys.")
    more = keys("create", "--json", "ops", "--scope", "admin", "--namespace", "*")
    operator = json.loads(more.stdout)
    assert KEY.fullmatch(operator.pop("key") + "\n")
    assert "the first" not in more.stderr
    for words in (["list"], ["list", "--json"], ["show", key_id], ["show", key_id, "--json"]):
        said = keys(*words)
        assert key_id in said.stdout
        assert (said.stderr, secret in said.stdout, "hash" in said.stdout) == ("", False, False)
    assert [key["id"] for key in asked(keys, "list")] == [operator["id"], key_id]
    assert asked(keys, "list", "--namespace", "*") == [operator]
    assert asked(keys, "show", key_id)["scopes"] == ["tasks:run:reports.*", "tasks:read"]


def test_rotating_and_revoking(keys: Keys) -> None:
    first = keys("create", "web", "--scope", "tasks:read", "--expires-in", "0.5").stdout
    key_id = first[3:15]
    rotated = keys("rotate", key_id)
    assert KEY.fullmatch(rotated.stdout)
    assert rotated.stdout[3:15] == key_id
    assert rotated.stdout != first
    assert "The secret before opens until 20" in rotated.stderr
    rotated = keys("rotate", key_id, "--overlap", "0")
    assert rotated.stderr.endswith("The secret before opens nothing any more.\n")
    revoked = keys("revoke", key_id)
    assert revoked.stdout.startswith(f"{key_id}: revoked at 20")
    assert keys("revoke", key_id).stdout == revoked.stdout
    refused = keys("rotate", key_id)
    assert refused.stdout == ""
    assert str(refused.exception) == f"the key {key_id} was revoked or has expired"


async def _set_schedules(url: str, key_id: str, *names: str) -> None:
    """Store schedules that a key has set."""

    async def work(connection: Connection) -> None:
        for name in names:
            await schedules.put(connection, make_schedule(name, key_id=key_id))

    database = Database(url)
    await database.write(work)
    await database.close()


async def _begin_bulk(url: str, key_id: str) -> str:
    """Store a bulk operation that a key has made, and return its id."""
    now = datetime.now(UTC)
    wanted = TaskFilter(statuses=(Status.FAILED,))
    operation = begin(
        NewOperation(action=Action.RETRY, wanted=wanted, filter='{"status":["failed"]}', limit=10),
        operation_id=uuid4(),
        namespace="default",
        key_id=key_id,
        granted=["tasks:run:*"],
        now=now,
    )
    database = Database(url)
    await database.write(lambda c: bulk.add(c, operation, None, None))
    await database.close()
    return str(operation.id)


def test_revoking_names_the_bulk_operations_that_go_on(
    keys: Keys, migrated: dict[str, str]
) -> None:
    mine, other = (keys("create", "web", "--scope", "tasks:operate").stdout[3:15] for _ in "ab")
    operation = asyncio.run(_begin_bulk(migrated["TASKQ_DATABASE_URL"], mine))
    assert keys("revoke", other).stderr == ""
    revoked = keys("revoke", mine)
    assert revoked.stdout.startswith(f"{mine}: revoked at 20")
    assert f"go on: {operation} (retry in default)." in revoked.stderr
    assert "`taskq bulk stop ID`" in revoked.stderr


def test_revoking_names_the_schedules_that_fire_on(keys: Keys, migrated: dict[str, str]) -> None:
    mine, other = (keys("create", "web", "--scope", "tasks:operate").stdout[3:15] for _ in "ab")
    url = migrated["TASKQ_DATABASE_URL"]
    asyncio.run(_set_schedules(url, mine, "weekly", "nightly"))
    assert keys("revoke", other).stderr == ""
    revoked = keys("revoke", mine)
    assert revoked.stderr == (
        "Schedules that it has set fire on: weekly (in default), nightly (in default). "
        "`taskq schedules delete NAME` ends one, with another key.\n"
    )
    asyncio.run(_set_schedules(url, mine, *(f"s{number}" for number in range(200))))
    assert keys("revoke", mine).stderr.startswith("Some of the schedules that it has set fire on: ")


def test_what_cannot_be_is_one_sentence(keys: Keys) -> None:
    unknown = "there is no key AAAAAAAAAAAA: `taskq-server keys list` shows all"
    wrong = ["create", "n", "--scope", "admin", "--namespace", "defualt"]
    nearest = "there is no namespace defualt: did you mean default?"
    for words, sentence in (
        (wrong, nearest),
        (["show", "A" * 12], unknown),
        (["rotate", "A" * 12], unknown),
        (["revoke", "A" * 12], unknown),
    ):
        done = keys(*words)
        assert done.stdout == ""
        assert isinstance(done.exception, TaskqError)
        assert str(done.exception) == sentence
    assert "There are no keys" in keys("list", "--namespace", "nowhere").stderr


def test_an_older_schema_says_what_to_do(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}"
    done = run_server_command(["keys", "list"], {"TASKQ_DATABASE_URL": url})
    assert done.returncode == 78
    assert done.stderr.endswith("run `taskq-server db upgrade`\n")


def test_processes_print_the_key_alone_and_say_errors(migrated: dict[str, str], keys: Keys) -> None:
    words = ["keys", "create", "web", "--scope", "tasks:read"]
    done = run_server_command(words, migrated)
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1)
    found = KEY.fullmatch(done.stdout)
    assert found is not None
    assert found[2] not in done.stderr
    done = run_server_command(["keys", "show", "A" * 12], migrated)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"taskq-server: there is no key A{12}: .* shows all\n", done.stderr)
    with Path("/dev/full").open("w") as full:
        done = run_server_command(words, migrated, stdout=full)
    assert done.returncode == 1
    assert re.fullmatch(
        r"taskq-server: the key \w{12} has a new secret that could not be printed \(No space left "
        r"on device\): revoke it, and make another key\n",
        done.stderr,
    )
    assert len(asked(keys, "list")) == 2


def test_what_the_command_makes_the_api_heeds(
    keys: Keys, migrated: dict[str, str], tmp_path: Path
) -> None:
    """Without Redis, which nobody tells: within a second all the same."""
    settings = {**migrated, "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0"}
    api = ApiProcess(["api"], settings, tmp_path / "log", free_port())

    def becomes(status: int, **headers: str) -> None:
        def answered() -> bool:
            return client.get("/tasks", headers=headers).status_code == status

        wait_until(answered, 180, f"answered with {status}", 0.05, api.output)

    try:
        api.wait_ready()
        with httpx.Client(base_url=api.url, trust_env=False, timeout=60) as client:
            becomes(200)
            key = keys("create", "web", "--scope", "tasks:read").stdout.strip()
            becomes(401)
            becomes(200, authorization=f"Bearer {key}")
            assert keys("revoke", key[3:15]).exit_code == 0
            becomes(401, authorization=f"Bearer {key}")
    finally:
        api.stop()
    assert key[16:] not in api.output()

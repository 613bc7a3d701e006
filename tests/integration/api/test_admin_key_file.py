"""The key of `TASKQ_ADMIN_KEY_FILE` opens as an operator's, until the stored key says otherwise."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from taskq_server.core.config import Settings
from taskq_server.crud import api_keys
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.keys import ApiKey, Token
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services import admin_key
from tests.integration.api.keys import shown
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, run_server_command
from tests.support.waiting import eventually

SECRET = "S3CRET" * 7 + "S"
TOKEN = Token("4dminKeyFile", SECRET)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "key", f"{TOKEN.text}\n")


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def with_file(settings: Settings, path: Path) -> Settings:
    return settings.model_copy(update={"auth": "auto", "admin_key_file": path})


@asynccontextmanager
async def served(runtime: Runtime, path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """A local API on the database of a runtime, started with the file."""
    settings = with_file(runtime.settings, path)
    async with open_runtime(settings, admin=admin_key.of(settings)) as opened:
        transport = httpx.ASGITransport(create_app(runtime=opened, allowed_hosts=["taskq"]))
        async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
            yield client, opened


async def stored(runtime: Runtime) -> ApiKey | None:
    return (await runtime.database.read(lambda c: api_keys.by_id(c, [TOKEN.id]))).get(TOKEN.id)


async def test_it_opens_as_an_operators_and_is_stored_once(runtime: Runtime, file: Path) -> None:
    for _ in range(2):  # the second start finds it
        async with served(runtime, file) as (client, opened):
            assert (await client.get("/keys")).status_code == 401
            new = {"name": "x", "scopes": ["tasks:read"], "namespace": "*"}
            made = await client.post("/keys", json=new, headers=shown(TOKEN))
            assert made.status_code == 201
            await eventually(lambda: stored(opened), "it is stored")
            caller = (await client.get("/keys/self", headers=shown(TOKEN))).json()
            assert (caller["id"], caller["namespace"]) == (TOKEN.id, "*")
            assert caller["scopes"] == ["admin"]
            wrong = shown(Token(TOKEN.id, "A" * 43))
            assert (await client.get("/keys", headers=wrong)).status_code == 401


async def test_it_counts_before_it_is_stored(runtime: Runtime, file: Path) -> None:
    """A database of an older version, which has no table for it."""
    settings = with_file(runtime.settings, file)
    url = "sqlite+aiosqlite:////nowhere/at/all.db"
    away = settings.model_copy(update={"database_url": type(settings.database_url)(url)})
    async with open_runtime(away, admin=admin_key.of(away)) as opened:
        transport = httpx.ASGITransport(create_app(runtime=opened, allowed_hosts=["taskq"]))
        async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
            assert (await client.get("/docs")).status_code == 401
            answer = await client.get("/docs", headers=shown(TOKEN))
            assert answer.status_code == 503  # it may have been revoked: nobody knows


async def test_the_stored_key_counts(
    runtime: Runtime, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = f"/keys/{TOKEN.id}"
    async with served(runtime, file) as (client, opened):
        await eventually(lambda: stored(opened), "it is stored")
        rotated = await client.post(
            f"{path}/rotate", json={"overlap_seconds": 0}, headers=shown(TOKEN)
        )
        new = {"Authorization": f"Bearer {rotated.json()['key']}"}
        assert (await client.get("/keys", headers=shown(TOKEN))).status_code == 401
    async with served(runtime, file) as (client, opened):
        assert (await client.get("/keys", headers=shown(TOKEN))).status_code == 401
        assert (await client.post(f"{path}/revoke", headers=new)).status_code == 200
    async with served(runtime, file) as (client, _):
        for headers in (shown(TOKEN), new):
            assert (await client.get("/keys", headers=headers)).status_code == 401
        await eventually(lambda: _said(caplog), "said")
    assert SECRET not in caplog.text


async def _said(caplog: pytest.LogCaptureFixture) -> bool:
    return f"the key {TOKEN.id} of TASKQ_ADMIN_KEY_FILE opens nothing" in caplog.text


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o440, 0o444, 0o644])
def test_others_may_read_it_as_containers_mount_it(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert admin_key.of(Settings(admin_key_file=file)) == TOKEN


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o777, 0o666])
def test_others_may_not_write_it(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"has the mode {mode:o}, .* chmod go-w") as said:
        admin_key.of(Settings(admin_key_file=file))
    assert SECRET not in str(said.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        TOKEN.text[:-1],
        f"{TOKEN.text}x",
        f"{TOKEN.text}\n{TOKEN.text}",
        f"Bearer {TOKEN.text}",
        f"key={TOKEN.text}",
        f"{TOKEN.text}{' ' * 1000}x",
        f"\ufeff{TOKEN.text}",
        "x" * 1_000_000,
    ],
)
def test_nonsense_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "key", text)
    with pytest.raises(ConfigurationError, match="must hold one whole key and nothing") as said:
        admin_key.of(Settings(admin_key_file=path))
    assert SECRET not in str(said.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path, sentence in (
        (tmp_path / "missing", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (pipe, "is no file"),
    ):
        with pytest.raises(ConfigurationError, match=f"^TASKQ_ADMIN_KEY_FILE: .* {sentence}"):
            admin_key.of(Settings(admin_key_file=path))


@pytest.mark.parametrize("command", ["api", "dev"])
def test_a_process_refuses_to_start_with_it(tmp_path: Path, command: str) -> None:
    settings = {
        "TASKQ_REDIS_URL": "redis://127.0.0.1:1/0",
        "TASKQ_ADMIN_KEY_FILE": str(written(tmp_path / "key", TOKEN.text, 0o666)),
        "TASKQ_DATA_DIR": str(tmp_path / "data"),
        "TASKQ_PORT": "0",
    }
    done = run_server_command([command], settings)
    assert done.returncode == 78
    (line,) = done.stderr.splitlines()
    assert line.startswith("taskq-server: TASKQ_ADMIN_KEY_FILE: ")
    assert SECRET not in done.stdout + done.stderr


def test_dev_starts_closed_with_it(tmp_path: Path) -> None:
    settings = {
        "TASKQ_ADMIN_KEY_FILE": str(written(tmp_path / "key", TOKEN.text)),
        "TASKQ_DATA_DIR": str(tmp_path / "data"),
    }
    api = ApiProcess(["dev"], settings, tmp_path / "log", free_port())
    try:
        api.wait_ready()
        with httpx.Client(base_url=api.url, trust_env=False, timeout=60) as client:
            assert client.get("/tasks").status_code == 401
            assert client.get("/keys", headers=shown(TOKEN)).status_code == 200
    finally:
        assert api.stop() == 0, api.output()
    assert SECRET not in api.output()

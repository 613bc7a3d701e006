"""What `api` and `dev` say at their start about who may call."""

from pathlib import Path
from typing import Any

import pytest

from taskq_server import migrations
from taskq_server.cli import _announcement as announcement
from taskq_server.cli._who_may_call import CLOSED, NO_KEY, OFF, OPEN, UNKNOWN, who_may_call
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.crud import api_keys
from taskq_server.domain.keys import new_token
from taskq_server.services.admin_key import as_key

ALL = {"host": "0.0.0.0"}


@pytest.mark.parametrize(
    ("given", "without", "with_key"),
    [
        ({}, OPEN, CLOSED),
        ({"host": "localhost"}, OPEN, CLOSED),
        (ALL, NO_KEY, CLOSED),
        ({"auth": "required"}, NO_KEY, CLOSED),
        ({"uds": Path("api.sock")}, NO_KEY, CLOSED),
        ({"auth": "off"}, OFF, OFF),
        ({**ALL, "auth": "off"}, OFF, OFF),
        ({**ALL, "insecure_no_auth": True}, OFF, OFF),
        ({"admin_key_file": Path("key")}, CLOSED, CLOSED),
        ({**ALL, "admin_key_file": Path("key")}, CLOSED, CLOSED),
    ],
)
async def test_it_says_who_may_call(
    sqlite_url: str, given: dict[str, Any], without: str, with_key: str
) -> None:
    settings = Settings(database_url=sqlite_url, **given)
    database = Database(sqlite_url)
    await migrations.upgrade(database)
    assert await who_may_call(settings) == without
    now = await database.now()
    await database.write(lambda c: api_keys.add(c, as_key(new_token(), now)))
    assert await who_may_call(settings) == with_key
    await database.close()


@pytest.mark.parametrize(("given", "said"), [({}, UNKNOWN), (ALL, CLOSED)])
async def test_a_database_that_is_away_is_said(given: dict[str, Any], said: str) -> None:
    settings = Settings(database_url="mysql+asyncmy://taskq@127.0.0.1:1/taskq", **given)
    assert await who_may_call(settings) == said


PROXIED: list[tuple[dict[str, Any], str]] = [
    ({"allowed_hosts": ("localhost", "tasks.example.com")}, "TASKQ_ALLOWED_HOSTS"),
    ({"trusted_proxies": "10.0.0.1"}, "TASKQ_TRUSTED_PROXIES"),
    ({"root_path": "/queue"}, "TASKQ_ROOT_PATH"),
    (
        {"allowed_hosts": ("*.example.com",), "root_path": "/queue"},
        "TASKQ_ALLOWED_HOSTS, TASKQ_ROOT_PATH",
    ),
]


@pytest.mark.parametrize(("given", "said"), PROXIED)
async def test_a_proxy_that_would_let_everybody_in_is_warned_of(
    sqlite_url: str, caplog: pytest.LogCaptureFixture, given: dict[str, Any], said: str
) -> None:
    database = Database(sqlite_url)
    await migrations.upgrade(database)
    caplog.clear()
    assert await who_may_call(Settings(database_url=sqlite_url, **given)) == OPEN
    (record,) = caplog.records
    assert record.getMessage().startswith(f"a proxy seems to be in front of this API ({said}): ")
    assert record.getMessage().endswith("set TASKQ_AUTH=required")
    now = await database.now()
    await database.write(lambda c: api_keys.add(c, as_key(new_token(), now)))
    await database.close()
    for closed in (given, {**given, "auth": "required"}, {**given, "auth": "off"}):
        await who_may_call(Settings(database_url=sqlite_url, **closed))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("names", [(), ("localhost", "127.0.0.1", "::1")])
async def test_names_of_this_machine_stand_for_no_proxy(
    sqlite_url: str, caplog: pytest.LogCaptureFixture, names: tuple[str, ...]
) -> None:
    database = Database(sqlite_url)
    await migrations.upgrade(database)
    await database.close()
    caplog.clear()
    assert await who_may_call(Settings(database_url=sqlite_url, allowed_hosts=names)) == OPEN
    assert not caplog.records


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("access", [OFF, OPEN, CLOSED, NO_KEY, UNKNOWN])
def test_it_fits_the_terminal(access: str, columns: int) -> None:
    screen = announcement.screen("x", {"concurrency": 1, "access": access}, "y", columns)
    assert max(map(len, screen.splitlines()[1:])) <= columns
    assert access in " ".join(screen.split())

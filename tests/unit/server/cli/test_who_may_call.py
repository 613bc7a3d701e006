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


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("access", [OFF, OPEN, CLOSED, NO_KEY, UNKNOWN])
def test_it_fits_the_terminal(access: str, columns: int) -> None:
    screen = announcement.screen("x", {"concurrency": 1, "access": access}, "y", columns)
    assert max(map(len, screen.splitlines()[1:])) <= columns
    assert access in " ".join(screen.split())

"""The databases that taskq is tested on, each with what a test has to know to disturb it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.support.mariadb import MariaDBServer


@dataclass(frozen=True, slots=True)
class Sessions:
    """How a server names and ends its sessions, in its own SQL.

    Attributes:
        own: selects the number of the session that asks.
        end: ends the session with the number `{}`.
        sleep: selects something after ten seconds.
    """

    own: str
    end: str
    sleep: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of database.

    Attributes:
        name: shown in the names of tests.
        empty: opens a new, empty database and yields its URL.
        sessions: None if there is no server, so that no connection can be lost and no two writers
            can lock each other out.
    """

    name: str
    empty: Callable[[pytest.FixtureRequest], AbstractContextManager[str]]
    sessions: Sessions | None = None


@contextmanager
def _sqlite(request: pytest.FixtureRequest) -> Iterator[str]:
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    folder: Path = folders.mktemp("sqlite")
    yield f"sqlite+aiosqlite:///{folder / 'taskq.db'}"


@contextmanager
def _mariadb(request: pytest.FixtureRequest) -> Iterator[str]:
    server = cast(MariaDBServer, request.getfixturevalue("mariadb_server"))
    with server.database() as url:
        yield url


DATABASES = (
    Kind("sqlite", _sqlite),
    Kind(
        "mariadb",
        _mariadb,
        Sessions(own="SELECT CONNECTION_ID()", end="KILL {}", sleep="SELECT SLEEP(10)"),
    ),
)
"""All of them; one entry is all that a test needs of a database."""

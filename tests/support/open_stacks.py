"""The stacks that fixtures have open, whose output a failed test shows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.support.mariadb import MariaDBServer
from tests.support.stack import Kind, Stack

open_stacks: list[Stack] = []


@contextmanager
def open_stack(
    request: pytest.FixtureRequest,
    kind: Kind,
    *,
    settings: Mapping[str, str] | None = None,
    workers: int = 1,
    mariadb: MariaDBServer | None = None,
) -> Iterator[Stack]:
    """A stack for a fixture; see `Stack`.

    Args:
        request: That of the fixture: it has the session's MariaDB server, where none is given.
        kind: Which of the two.
        settings: TASKQ_ environment variables for all processes.
        workers: How many workers the kind `mariadb` starts with.
        mariadb: Another server for the database.
    """
    if kind == "mariadb" and mariadb is None:
        mariadb = request.getfixturevalue("mariadb_server")
    with Stack(kind, mariadb=mariadb, settings=settings, workers=workers) as stack:
        open_stacks.append(stack)
        try:
            yield stack
        finally:
            open_stacks.remove(stack)

"""Processes that move a schema, and are killed or hang at one of their statements."""

import asyncio
import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Literal

from sqlalchemy import event

from taskq_server import migrations
from taskq_server.core.database import Database

Direction = Literal["upgrade", "downgrade"]

_READS = ("SELECT", "SHOW", "DESCRIBE", "PRAGMA", "BEGIN")
_LIMIT_SECONDS = 180
# Each process is a fork of one that has imported this module: a start takes 20 ms, not a second.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "taskq_server.migrations.steps"])


def killed(url: str, direction: Direction, revision: str, point: int) -> bool:
    """Move a schema in a process that gets SIGKILL; return False if it came to its end first.

    Args:
        url: The database.
        direction: Up or down.
        revision: Where to.
        point: Which of the statements that change something is not sent any more, from 1; a COMMIT
            is one of them. What is the state before one of them is that after the one before.
    """
    process = _processes.Process(target=_kill_itself, args=(url, direction, revision, point))
    process.start()
    process.join(_LIMIT_SECONDS)
    assert process.exitcode in (0, -signal.SIGKILL), f"{process} ended with {process.exitcode}"
    return process.exitcode != 0


@contextmanager
def hanging(url: str, direction: Direction, revision: str, point: int) -> Iterator[BaseProcess]:
    """Move a schema in a process that hangs at this point; it is killed at the end, or before."""
    reached = _processes.Event()
    process = _processes.Process(target=_hang, args=(url, direction, revision, point, reached.set))
    process.start()
    try:
        assert reached.wait(_LIMIT_SECONDS), "it has not come so far"
        yield process
    finally:
        process.kill()
        process.join(_LIMIT_SECONDS)


@contextmanager
def several(number: int, url: str, direction: Direction, revision: str) -> Iterator[None]:
    """Move a schema in several processes at once; at the end all of them must have succeeded."""
    never = (url, direction, revision, 0)
    processes = [_processes.Process(target=_kill_itself, args=never) for _ in range(number)]
    for process in processes:
        process.start()
    yield
    for process in processes:
        process.join(_LIMIT_SECONDS)
        process.kill()
    assert [process.exitcode for process in processes] == [0] * number


def _kill_itself(url: str, direction: Direction, revision: str, point: int) -> None:
    _move(url, direction, revision, point, lambda: os.kill(os.getpid(), signal.SIGKILL))


def _hang(
    url: str, direction: Direction, revision: str, point: int, reached: Callable[[], None]
) -> None:
    def hang() -> None:
        reached()
        time.sleep(_LIMIT_SECONDS)

    _move(url, direction, revision, point, hang)


def _move(
    url: str, direction: Direction, revision: str, point: int, interrupt: Callable[[], None]
) -> None:
    database = Database(url)
    engine = database.engine.sync_engine
    points = itertools.count(1)

    def before_commit(_: object) -> None:
        if next(points) == point:
            interrupt()

    def before_statement(_: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.lstrip().upper().startswith(_READS):
            before_commit(cursor)

    event.listen(engine, "before_cursor_execute", before_statement)
    event.listen(engine, "commit", before_commit)
    move = migrations.upgrade if direction == "upgrade" else migrations.downgrade
    asyncio.run(move(database, revision))

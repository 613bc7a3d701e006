"""The database is there but refuses: no connection, no write, no space, or a lock is held."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.calls import (
    HANDLERS,
    Calls,
    Load,
    counted,
    database_name,
    private_mariadb,
    repeats,
)
from tests.support.mariadb import MariaDBServer
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

SECONDS = repeats(2, 10)
LOCKED_SECONDS = 5
HELD = 10
CONNECTIONS = 10  # it takes no fewer
SETTINGS = {
    "TASKQ_HANDLERS": HANDLERS,
    "TASKQ_LEASE_SECONDS": str(SECONDS + 15),
    "TASKQ_CONCURRENCY": "50",
}
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}, "max_retries": 0}
NO_SPACE = ("--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:40M")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A MariaDB with little space."""
    with private_mariadb(options=NO_SPACE) as opened:
        yield opened


@pytest.fixture(scope="module")
def stack(new_module_stack: NewStack, server: MariaDBServer) -> Stack:
    """Nothing that is read-only or full makes way for its account."""
    return new_module_stack("mariadb", settings=SETTINGS, mariadb=server)


@contextmanager
def nothing_lost(stack: Stack, what: str, *, refusals: bool) -> Iterator[Load]:
    """Submit and run tasks meanwhile: each is taken or refused in good form, and none is lost."""
    echo, held_tag = {**ECHO, "tags": [what]}, f"{what}, held"
    with Calls(stack.api_url) as calls:
        with Load(stack.api_url, echo, pause=0.02) as load:
            seconds = {"seconds": SECONDS / 2}
            held = calls.submit_many(HELD, "bad.hold", seconds, tags=[held_tag], max_retries=0)
            calls.until_running(held_tag, HELD)
            yield load
            time.sleep(0.5)  # some more load
        codes = counted(str(one.status) for one in load.answers)
        assert load.broken == []
        assert set(codes) <= {"201", "503"}, codes
        assert all(one.retry_after for one in load.refused())
        assert bool(load.refused()) is refusals, codes
        load.again()
        done = calls.until_quiet(60, tag=what)
        assert counted(one["status"] for one in done) == {"succeeded": len(load.accepted())}
        assert {one.task_id for one in load.accepted()} == {one["id"] for one in done}
        ended = calls.until_quiet(60, tag=held_tag)
        assert counted(one["status"] for one in ended) == {"succeeded": HELD}
        assert [calls.outcomes(task_id) for task_id in held] == [["succeeded"]] * HELD
    print(f"\n{what}: answers {codes}, {len(done)} tasks done")


@pytest.mark.timeout(150 + 2 * SECONDS)
def test_no_connection_is_left(stack: Stack, server: MariaDBServer) -> None:
    """Others hold more connections than there may be, and taskq's are killed."""
    others = f"DO SLEEP({SECONDS + 2})"
    account = database_name(stack)
    kills = [f"KILL USER {account}", "DO SLEEP(0.2)"] * (5 * SECONDS)
    with (
        nothing_lost(stack, f"no connection left for {SECONDS} s", refusals=True),
        ExitStack() as held,
    ):
        for _ in range(CONNECTIONS):
            holder = threading.Thread(target=server.sql, args=(others,))
            holder.start()
            held.callback(holder.join)
        time.sleep(0.5)
        steps = [f"SET GLOBAL max_connections = {CONNECTIONS}", *kills]
        server.sql("; ".join([*steps, "SET GLOBAL max_connections = 100"]))


@pytest.mark.timeout(150 + 2 * SECONDS)
def test_the_database_is_read_only(stack: Stack, server: MariaDBServer) -> None:
    with (
        nothing_lost(stack, f"read-only for {SECONDS} s", refusals=True),
        Calls(stack.api_url) as calls,
    ):
        server.sql("SET GLOBAL read_only = 1")
        try:
            assert calls.http.get("/tasks").status_code == 200, "it can be read"
            time.sleep(SECONDS)
        finally:
            server.sql("SET GLOBAL read_only = 0")


@pytest.mark.timeout(150 + 2 * SECONDS)
def test_the_disk_is_full(stack: Stack, server: MariaDBServer) -> None:
    name = database_name(stack)
    server.sql("CREATE TABLE noise (what VARBINARY(4000)) ENGINE = InnoDB", name)
    with (
        nothing_lost(stack, f"disk full for {SECONDS} s", refusals=True),
        Calls(stack.api_url) as calls,
    ):
        try:
            for rows in (100, 1):
                some = f"INSERT INTO noise SELECT REPEAT('x', 4000) FROM seq_1_to_{rows}"
                with pytest.raises(RuntimeError, match="is full"):
                    server.sql("; ".join([some] * 300), name)
            time.sleep(SECONDS)
        finally:
            server.sql("DROP TABLE noise", name)
            # The server gives the space back in its own time.
            wait_until(lambda: _takes_much(calls), 60, "there is space again", 0.2)


def _takes_much(calls: Calls) -> bool:
    item = {"handler": "taskq.echo", "payload": {"value": "x" * 4_000}}
    return calls.http.post("/tasks/batch", json={"items": [item] * 500}).status_code == 201


@pytest.mark.timeout(150)
def test_a_table_is_locked(stack: Stack, server: MariaDBServer) -> None:
    with nothing_lost(stack, f"table locked for {LOCKED_SECONDS} s", refusals=False):
        lock = f"LOCK TABLES tasks WRITE; DO SLEEP({LOCKED_SECONDS})"
        server.sql(lock, database_name(stack))

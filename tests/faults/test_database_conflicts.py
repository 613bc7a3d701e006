"""Connections that are killed and rows that deadlock: tried again a few times, never a 500."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
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

SECONDS = repeats(5, 30)
SETTINGS = {
    "TASKQ_HANDLERS": HANDLERS,
    "TASKQ_LEASE_SECONDS": "20",
    "TASKQ_CONCURRENCY": "50",
}
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}, "tags": ["load"], "max_retries": 0}
ROWS = 12
ALLOWED = {"200", "202", "204", "404", "409"}


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A MariaDB whose counters are this test's."""
    with private_mariadb() as opened:
        yield opened


@pytest.mark.timeout(120 + 2 * SECONDS)
def test_killed_connections_are_replaced(new_stack: NewStack, server: MariaDBServer) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, mariadb=server)
    killed = 0
    end = time.monotonic() + SECONDS
    with Load(stack.api_url, ECHO) as load:
        while time.monotonic() < end:
            killed += _kill_connections(server, stack)
            time.sleep(0.3)
    refused = len(load.refused())
    codes = counted(str(one.status) for one in load.answers)
    load.again()
    with Calls(stack.api_url) as calls:
        done = calls.until_quiet(60, tag="load")
    print(f"\n{killed} connections killed in {SECONDS} s: answers {codes}, {len(done)} tasks done")
    assert killed > 0
    assert load.broken == []
    assert set(codes) <= {"201", "503"}
    assert refused <= len(load.answers) / 100, "they are tried again"
    assert counted(one["status"] for one in done) == {"succeeded": len(load.accepted())}
    assert {one["current_retry_count"] for one in done} == {0}


def _kill_connections(server: MariaDBServer, stack: Stack) -> int:
    name = database_name(stack)
    found = server.sql(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'")
    killed = 0
    for one in found.split():
        with suppress(RuntimeError):  # it has ended by itself
            server.sql(f"KILL {one}")
            killed += 1
    return killed


@pytest.mark.timeout(120 + 2 * SECONDS)
def test_rows_that_everybody_wants_are_no_error(new_stack: NewStack, server: MariaDBServer) -> None:
    stack = new_stack("mariadb", settings=SETTINGS, mariadb=server, workers=2)
    server.sql("CREATE TABLE noise (number INT) ENGINE = InnoDB", database_name(stack))
    codes: list[str] = []
    with Calls(stack.api_url) as calls, ExitStack() as running:
        ids = [calls.submit("bad.fail", {"times": 3}, tags=["rows"]) for _ in range(ROWS)]
        running.enter_context(_repeated(lambda: _lock_backwards(server, stack)))
        for number in range(4):
            caller = _Caller(stack.api_url, ids, codes, random.Random(number))
            running.callback(caller.close)
            running.enter_context(_repeated(caller.act))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            ids += calls.submit_many(ROWS, "bad.fail", {"times": 1}, tags=["rows"], **QUICK)
            del ids[:-ROWS]
            time.sleep(0.3)
    deadlocks = int(server.sql("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").split()[1])
    with Calls(stack.api_url) as calls:
        left = calls.until_quiet(90, tag="rows")
    found = counted(codes)
    print(f"\n{deadlocks} deadlocks in {SECONDS} s: answers {found}, {len(left)} tasks left, final")
    assert deadlocks > 0, "the test made what it is about"
    assert set(found) <= ALLOWED
    assert all(one["current_retry_count"] <= one["max_retries"] for one in left)


QUICK = {"backoff_base_seconds": 0.05, "backoff_max_seconds": 0.1}


class _Caller:
    """Somebody who does something to one of the rows."""

    def __init__(self, url: str, ids: list[str], codes: list[str], chance: random.Random) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._ids = ids
        self._codes = codes
        self._chance = chance

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def act(self) -> None:
        """Change one task in some way."""
        path = f"/tasks/{self._chance.choice(self._ids[:])}"
        match self._chance.randrange(5):
            case 0:
                answer = self._http.delete(path)
            case 1:
                answer = self._http.post(f"{path}/cancel")
            case 2:
                answer = self._http.post(f"{path}/retry")
            case _:
                priority = self._chance.choice(["low", "normal", "high", "urgent"])
                answer = self._http.patch(path, json={"priority": priority, "tags": ["rows"]})
        self._codes.append(str(answer.status_code))


def _lock_backwards(server: MariaDBServer, stack: Stack) -> None:
    """Lock rows in the opposite order of taskq's, as a script of an administrator might.

    The server ends the transaction that has changed less: the noise makes it taskq's.
    """
    name = database_name(stack)
    found = server.sql(f"SELECT id FROM tasks ORDER BY id DESC LIMIT {ROWS}", name).split()
    steps = ["INSERT INTO noise SELECT seq FROM seq_1_to_200"]
    for one in found:
        steps += [
            f"SELECT 1 FROM task_tags WHERE task_id = '{one}' FOR UPDATE",
            "DO SLEEP(0.01)",
            f"UPDATE tasks SET description = '{time.monotonic()}' WHERE id = '{one}'",
        ]
    server.sql(f"BEGIN; {'; '.join(steps)}; ROLLBACK", name)


@contextmanager
def _repeated(work: Callable[[], None]) -> Iterator[None]:
    """Do it again and again in a thread; a deadlock of its own is nothing to it."""
    stop = threading.Event()
    failures: list[Exception] = []

    def run() -> None:
        while not stop.is_set():
            try:
                work()
            except Exception as error:
                if "Deadlock" not in str(error):
                    failures.append(error)
                    return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    if failures:
        raise failures[0]

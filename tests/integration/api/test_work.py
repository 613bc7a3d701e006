"""The work of the hot paths, counted: statements and Redis commands for 100 tasks at once.

Seconds depend on the machine; these numbers do not. More of them is a regression.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest
import redis
from sqlalchemy import event

from taskq_server.domain import lifecycle
from taskq_server.domain.admission import ClaimRequest
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Task
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import AttemptService, Claim
from taskq_server.services.reports import Completion
from taskq_server.services.submit import IdempotencyKey
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER
from tests.support.mariadb import MariaDBServer

TASKS = 100
STATEMENTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
NEW = NewTask(handler="taskq.echo", payload={"value": 1})


@dataclass
class Work:
    """What was done meanwhile."""

    statements: int = 0
    transactions: int = 0
    commands: Counter[str] = field(default_factory=Counter)


class Statements(Protocol):
    """Hears what a database is told."""

    def start(self) -> None:
        """Forget what was said."""

    def said(self) -> list[str]:
        """Return what was said since, and stop to listen."""


class AtSqlAlchemy:
    """Hears what SQLAlchemy tells SQLite."""

    def __init__(self, runtime: Runtime) -> None:
        self._said: list[str] = []
        engine = runtime.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", lambda *a: self._said.append(a[2]))
        event.listen(engine, "commit", lambda _: self._said.append("COMMIT"))

    def start(self) -> None:
        self._said.clear()

    def said(self) -> list[str]:
        return self._said


class AtMariaDB:
    """Reads the server's log of what all connections to a database said."""

    def __init__(self, server: MariaDBServer, database: str) -> None:
        self._server = server
        connections = f"SELECT id FROM information_schema.processlist WHERE db = '{database}'"
        self._where = (
            f"FROM mysql.general_log WHERE command_type = 'Query' AND thread_id IN ({connections})"
        )

    def start(self) -> None:
        log = "SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1"
        self._server.sql(f"TRUNCATE mysql.general_log; {log}")

    def said(self) -> list[str]:
        self._server.sql("SET GLOBAL general_log = 0")
        asks_the_time = False
        found = []
        for one in self.read("REPLACE(LEFT(argument, 40), '\\n', ' ')"):
            # A server asks for the time each few seconds, on a slow machine each second.
            asks_the_time = "utc_timestamp" in one or (asks_the_time and one == "COMMIT")
            if not asks_the_time:
                found.append(one)
        return found

    def read(self, what: str, where: str = "TRUE") -> list[str]:
        """Return something of each statement that was said."""
        asked = f"SELECT {what} {self._where} AND {where} ORDER BY thread_id, event_time"
        return self._server.sql(asked).splitlines()


class Meter:
    """Counts at the database, and at the Redis server."""

    def __init__(self, statements: Statements, client: redis.Redis) -> None:
        self._statements = statements
        self._client = client

    @asynccontextmanager
    async def measured(self, publishes: int) -> AsyncIterator[Work]:
        """Measure the block, and what it sends to Redis behind its back, up to the messages."""
        work = Work()
        self._statements.start()
        before = self._commands()
        yield work
        async with asyncio.timeout(60):
            while (self._commands() - before)["publish"] < publishes:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
        work.commands = self._commands() - before
        said = self._statements.said()
        work.statements = sum(one.startswith(STATEMENTS) for one in said)
        work.transactions = said.count("COMMIT")

    def _commands(self) -> Counter[str]:
        stats: Any = self._client.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}
        return Counter({name: calls.get(name, 0) for name in ("zadd", "publish", "set")})


@pytest.fixture
def statements(request: pytest.FixtureRequest, runtime: Runtime) -> Statements:
    if runtime.database.dialect.one_writer:
        return AtSqlAlchemy(runtime)
    name = runtime.database.engine.url.database
    return AtMariaDB(request.getfixturevalue("mariadb_server"), str(name))


@pytest.fixture
async def meter(
    runtime: Runtime, redis_url: str, worker: ScriptedWorker, statements: Statements
) -> AsyncIterator[Meter]:
    await runtime.catalog.require(CALLER, NEW.handler)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield Meter(statements, client)


@pytest.fixture
def attempts(runtime: Runtime) -> AttemptService:
    return runtime.attempts(has_failure_hooks=False)


async def submit(runtime: Runtime) -> list[Task]:
    keys = [IdempotencyKey.of(f"key {n}", {}) for n in range(TASKS)]
    done = await asyncio.gather(*(runtime.submit.one(CALLER, NEW, key=key) for key in keys))
    return [each.details.task for each in done]


async def claim(
    attempts: AttemptService, worker: ScriptedWorker, waiting: list[Task]
) -> list[Task]:
    asks = [
        ClaimRequest(
            task_id=task.id,
            attempt=1,
            worker_id=worker.id,
            namespaces=frozenset({"default"}),
            handlers=frozenset([NEW.handler]),
            quarantine_room=lambda: 1,
        )
        for task in waiting
    ]
    answers = await asyncio.gather(*map(attempts.claim, asks))
    return [answer.task for answer in answers if isinstance(answer, Claim)]


async def end(attempts: AttemptService, running: list[Task]) -> None:
    endings = [
        Completion(
            task_id=task.id,
            attempt=1,
            worker_id=task.worker_id,
            decide=lambda row, now: lifecycle.succeed(row, result="1", now=now),
            claimed=task,
        )
        for task in running
        if task.worker_id is not None
    ]
    assert len(endings) == TASKS
    await asyncio.gather(*map(attempts.end, endings))


async def test_submits(runtime: Runtime, meter: Meter) -> None:
    async with meter.measured(publishes=1) as work:
        await submit(runtime)
    assert (work.statements, work.transactions) == (2, 1)  # INSERT; ledger
    assert work.commands == {"zadd": 1, "publish": 1}


async def test_a_batch(runtime: Runtime, meter: Meter) -> None:
    async with meter.measured(publishes=1) as work:
        key = IdempotencyKey.of("all of them", {})
        await runtime.submit.batch(CALLER, [NEW] * TASKS, key=key)
    assert (work.statements, work.transactions) == (2, 1)
    assert work.commands == {"zadd": 1, "publish": 1}


async def test_claims_and_ends(
    runtime: Runtime, meter: Meter, worker: ScriptedWorker, attempts: AttemptService
) -> None:
    async with meter.measured(publishes=1):  # until its doorbells are out
        waiting = await submit(runtime)
    async with meter.measured(publishes=0) as claims:
        running = await claim(attempts, worker, waiting)
    assert (claims.statements, claims.transactions) == (2, 1)  # SELECT FOR UPDATE, UPDATE
    async with meter.measured(publishes=1) as ends:
        await end(attempts, running)
    assert (ends.statements, ends.transactions) == (3, 1)  # UPDATE, INSERT, the ledger
    assert ends.commands == {"publish": 1}


async def test_waits(
    runtime: Runtime, meter: Meter, worker: ScriptedWorker, attempts: AttemptService
) -> None:
    async with meter.measured(publishes=1):
        running = await claim(attempts, worker, await submit(runtime))
    async with meter.measured(publishes=0) as first:
        waits = [asyncio.create_task(runtime.wait.one(CALLER, task.id, 30)) for task in running]
        await runtime.read.get(CALLER, running[0].id)  # its read comes after theirs
    assert first.statements <= 6
    assert first.transactions <= 2
    async with meter.measured(publishes=1) as second:
        await end(attempts, running)
        final = await asyncio.gather(*waits)
    assert [each.result for each in final] == ["1"] * TASKS
    # The end of all, then one read of tasks, attempts and tags: by the message, one for all.
    # A slow machine may see one poll more.
    assert second.statements <= 10
    assert second.transactions <= 3

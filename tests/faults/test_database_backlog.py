"""What the janitor reads does not grow with what is queued or kept: rows counted, not seconds."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from taskq_server.broker.dispatcher import Dispatcher
from taskq_server.broker.names import Naming
from taskq_server.broker.notifier import Notifier
from taskq_server.broker.sender import Sender
from taskq_server.core.clock import Clock
from taskq_server.core.database import Connection, Database
from taskq_server.core.tracing import Tracing
from taskq_server.crud import beats, workers
from taskq_server.crud.oldest import oldest
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import Priority, Queue
from taskq_server.metrics.registry import Metrics
from taskq_server.services.after_commit import AfterCommit
from taskq_server.services.attempts import AttemptService
from taskq_server.services.maintenance import Maintenance
from tests.support.calls import repeats
from tests.support.mariadb import MariaDBServer
from tests.support.processes import run_server_command

ROWS = repeats(40_000, 1_000_000)
TABLES = ("tasks", "task_attempts", "task_keeps", "workers")
QUEUE = Queue("default", "default")
MINE = ["taskq.echo", "taskq.sleep"]
MANY = [*MINE, *(f"handler.{number}" for number in range(100))]
MOST_READ = 4 * 1_000 * len(MINE) * len(Priority)
"""Batches of each handler and priority, from the index and through the tables that merge them."""
HEAD = 1_000_000
WORKERS = 50
DEAD = 3_000
LONG_AGO = "NOW(6) - INTERVAL 1 HOUR"
SOON = "NOW(6) + INTERVAL 80 SECOND"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the tables are full of: columns of the tasks (`seq` counts rows), and more SQL."""

    columns: Mapping[str, str]
    more: str = ""


def ended(ago: str) -> dict[str, str]:
    return {"status": "'succeeded'", "score": "NULL", "finished_at": f"NOW(6) - INTERVAL {ago}"}


HELD = {
    "status": "'running'",
    "score": "NULL",
    "worker_id": f"LOWER(LPAD(HEX(MOD(seq, {WORKERS})), 32, '0'))",
}
WORKER = (
    "INSERT INTO workers (id, name, queues, handlers, concurrency, started_at, heartbeat_at,"
    " lease_until) SELECT LOWER(LPAD(HEX(seq), 32, '0')), 'w', '[]', '[]', 1, NOW(6), NOW(6)"
)
PENDING = """
INSERT INTO task_attempts (task_id, attempt, handler, outcome, started_at, finished_at)
SELECT id, 1, handler, 'failed', NOW(6) - INTERVAL 1 HOUR, NOW(6) - INTERVAL 1 HOUR FROM tasks
"""
SHAPES = {
    "queued, the bells are there": Shape({"score": f"seq + {HEAD}"}),
    "queued, every bell is lost": Shape(
        {"handler": f"IF(seq & 4, '{MINE[0]}', '{MINE[1]}')", "priority": "MOD(seq, 4)"}
    ),
    "queued, for handlers of other workers": Shape({"handler": "'others.build'"}),
    "queued in another queue": Shape({"queue": "'other'"}),
    "queued in another namespace": Shape({"namespace": "'other'", "priority": "MOD(seq, 4)"}),
    "scheduled, due in a minute": Shape(
        {"priority": "3", "run_at": SOON, "score": f"UNIX_TIMESTAMP({SOON}) * 1000 - 90000"}
    ),
    "running in live workers": Shape(
        HELD, f"{WORKER}, NOW(6) + INTERVAL 1 HOUR FROM seq_0_to_{WORKERS - 1}"
    ),
    "running, the workers have vanished": Shape(
        HELD, f"{WORKER}, NOW(6) - INTERVAL 2 HOUR FROM seq_0_to_{DEAD}"
    ),
    "final, none of them old enough": Shape(ended("1 DAY")),
    "final, all of them past retention": Shape(ended("31 DAY")),
    "final, all of them kept for longer": Shape(
        ended("31 DAY") | {"finished_at": "NOW(6) - INTERVAL 31 DAY - INTERVAL seq MICROSECOND"},
        "INSERT INTO task_keeps (task_id, keep_seconds, look_at)"
        " SELECT id, 1e8, NOW(6) + INTERVAL 1 YEAR FROM tasks",
    ),
    "failed, hooks of other workers pending": Shape(
        ended("1 DAY") | {"status": "'failed'", "handler": "'others.build'"},
        f"{PENDING}; {WORKER}, NOW(6) - INTERVAL 2 HOUR FROM seq_0_to_{DEAD}",
    ),
    "running in another namespace, the workers have vanished": Shape(
        HELD | {"namespace": "'other'"},
        f"{WORKER}, NOW(6) - INTERVAL 2 HOUR FROM seq_0_to_{DEAD}",
    ),
}


@pytest.fixture(scope="module")
def url(mariadb_server: MariaDBServer) -> Iterator[str]:
    with mariadb_server.database() as url:
        done = run_server_command(["db", "upgrade"], {"TASKQ_DATABASE_URL": url})
        assert done.returncode == 0, done.stderr
        yield url


def fill(server: MariaDBServer, url: str, shape: Shape) -> None:
    """Throw away what is in the tables, and fill them."""
    columns = {
        "id": "LOWER(CONCAT('0190', LPAD(HEX(seq), 28, '0')))",
        "status": "'queued'",
        "handler": f"'{MINE[0]}'",
        "score": "seq",
        "priority": "1",
        "queue": "'default'",
        **dict.fromkeys(("namespace", "title"), "'default'"),
        "payload": "'{}'",
        **dict.fromkeys(("timeout_seconds", "max_retries", "version"), "1"),
        **dict.fromkeys(("current_retry_count", "attempt", "lost_count"), "0"),
        **dict.fromkeys(("created_at", "updated_at"), LONG_AGO),
        **shape.columns,
    }
    names, values = ", ".join(columns), ", ".join(columns.values())
    empty = "; ".join(f"TRUNCATE {table}" for table in TABLES)
    name = url.rpartition("/")[2].partition("?")[0]
    server.sql(f"SET foreign_key_checks = 0; {empty}", name)
    server.sql(f"INSERT INTO tasks ({names}) SELECT {values} FROM seq_1_to_{ROWS}", name)
    if shape.more:
        server.sql(shape.more, name)
    server.sql(f"ANALYZE TABLE {', '.join(TABLES)}", name)


async def rows_read(url: str) -> dict[str, int]:
    """How many rows each thing that the janitor does reads, by the server's own count."""
    database = Database(url, pool_size=1)
    try:
        clock = Clock(await database.now())
        send = Sender(None, Naming())
        dispatcher = Dispatcher(send)
        after_commit = AfterCommit(dispatcher, Notifier(send), Metrics())
        attempts = AttemptService(
            database,
            clock,
            dispatcher,
            after_commit,
            Tracing(is_on=False),
            has_failure_hooks=True,
        )
        maintenance = Maintenance(database, clock, attempts, dispatcher)
        month, settled = timedelta(days=30), timedelta(seconds=2)
        works: dict[str, Callable[[], Awaitable[object]]] = {
            "stage": lambda: maintenance.stage(QUEUE, MINE, head=HEAD, settled=settled),
            "refill": lambda: maintenance.stage(QUEUE, MINE, head=None, settled=settled),
            "claim without Redis": lambda: maintenance.due(QUEUE, MINE, 100),
            "hooks": lambda: attempts.pending_hooks(
                namespaces=["default"], before=clock(), handlers=MINE, limit=100
            ),
            "beat": lambda: database.read(
                lambda c: beats.look(c, UUID(int=1), ["default"], all_namespaces=False)
            ),
            "catalog": lambda: database.read(
                lambda c: workers.handlers_of_live(c, clock(), ["default"])
            ),
            "age": lambda: database.read(lambda c: _ages(c, MINE, clock())),
            "age, with many handlers": lambda: database.read(lambda c: _ages(c, MANY, clock())),
            "forget": lambda: maintenance.forget_workers(timedelta(seconds=100)),
            "prune": lambda: maintenance.prune(Retention.of_all(month)),
            "rescue": lambda: maintenance.rescue([UUID(int=1)], ["default"]),
        }
        return {name: await _cost(database, work) for name, work in works.items()}
    finally:
        await database.close()


async def _ages(
    connection: Connection, handlers: Sequence[str], now: datetime
) -> dict[str, datetime]:
    return await oldest(
        connection, namespace="default", queues=["default"], handlers=handlers, now=now
    )


async def _cost(database: Database, work: Callable[[], Awaitable[object]]) -> int:
    before = await database.read(_handler_reads)
    await work()
    return await database.read(_handler_reads) - before


async def _handler_reads(connection: Connection) -> int:
    """The rows this session, which is the only one of its pool, has read so far.

    `Handler_read_rnd_next` counts the rows of SHOW STATUS itself, too: a few dozen.
    """
    found = await connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
    return sum(int(row[1]) for row in found)


@pytest.mark.anyio
@pytest.mark.timeout(repeats(90, 600))
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_sweep_reads_what_is_missing_only(
    mariadb_server: MariaDBServer, url: str, shape: str
) -> None:
    fill(mariadb_server, url, SHAPES[shape])
    read = await rows_read(url)
    print(f"\nrows read by the janitor, {ROWS:,} tasks {shape}: {read}")
    assert {name: rows for name, rows in read.items() if rows > MOST_READ} == {}

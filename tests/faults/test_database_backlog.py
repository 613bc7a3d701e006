"""What the janitor reads does not grow with what is queued: rows counted, not seconds."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text

from taskq_server.broker.dispatcher import Dispatcher
from taskq_server.broker.notifier import Notifier
from taskq_server.broker.sender import Sender
from taskq_server.core.clock import Clock
from taskq_server.core.database import Connection, Database
from taskq_server.services.attempts import AttemptService
from taskq_server.services.upkeep import Upkeep
from tests.property.calls import repeats
from tests.support.mariadb import MariaDBServer
from tests.support.processes import run_server_command

FEW = 10_000
MANY = repeats(200_000, 1_000_000)
MOST_READ = 12_000  # a dozen for each row of a batch of 1,000
MINE = "taskq.echo"

# What a table is full of. `S` is the number of the row, from 1; the column list is below.
SHAPES = {
    "queued, the bells are there": f"'queued', '{MINE}', NOW(6), S + 1000000, NULL, NULL",
    "queued, every bell is lost": f"'queued', '{MINE}', NOW(6), S, NULL, NULL",
    "queued, for handlers of other workers": "'queued', 'others.build', NOW(6), S, NULL, NULL",
    "final, none of them old enough": f"'succeeded', '{MINE}', NOW(6), NULL, NULL, NOW(6)",
}
FILL = """
INSERT INTO tasks (id, status, handler, updated_at, score, run_at, finished_at, namespace, title,
  payload, priority, queue, timeout_seconds, max_retries, current_retry_count, attempt, lost_count,
  version, created_at)
SELECT LOWER(CONCAT('0190', LPAD(HEX(seq), 28, '0'))), {shape}, 'default', 'fill',
  '{{}}', 1, 'default', 300, 3, 0, 0, 0, 1, NOW(6) - INTERVAL 1 HOUR
FROM seq_1_to_{rows}
"""


@contextmanager
def filled(server: MariaDBServer, rows: int, shape: str) -> Iterator[str]:
    """The URL of a database with so many tasks."""
    with server.database() as url:
        done = run_server_command(["db", "upgrade"], {"TASKQ_DATABASE_URL": url})
        assert done.returncode == 0, done.stderr
        name = url.rpartition("/")[2].partition("?")[0]
        values = shape.replace("S", "seq", 1) if " S" in shape else shape
        values = values.replace("NOW(6)", "NOW(6) - INTERVAL 1 HOUR", 1)
        server.sql(FILL.format(shape=values, rows=rows), name)
        server.sql("ANALYZE TABLE tasks", name)
        yield url


async def rows_read(url: str) -> dict[str, int]:
    """How many rows each thing that the janitor does reads, by the server's own count."""
    database = Database(url, pool_size=1)
    try:
        clock = Clock(await database.now())
        send = Sender(None)
        dispatcher, notifier = Dispatcher(send, clock), Notifier(send)
        attempts = AttemptService(database, clock, dispatcher, notifier, hooked=True)
        upkeep = Upkeep(database, clock, attempts, dispatcher)
        month, settled = timedelta(days=30), timedelta(seconds=2)
        works: dict[str, Callable[[], Awaitable[object]]] = {
            "rescue": upkeep.rescue,
            "stage": lambda: upkeep.stage("default", [MINE], head=1_000_000, settled=settled),
            "refill": lambda: upkeep.stage("default", [MINE], head=None, settled=settled),
            "claim without Redis": lambda: upkeep.due("default", [MINE], 100),
            "hooks": lambda: attempts.pending_hooks(before=clock(), handlers=[MINE], limit=100),
            "forget": lambda: upkeep.forget_workers(timedelta(seconds=100)),
            "prune": lambda: upkeep.prune(month),
        }
        return {name: await _cost(database, work) for name, work in works.items()}
    finally:
        await database.close()


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
async def test_a_sweep_reads_no_more_when_more_is_queued(
    mariadb_server: MariaDBServer, shape: str
) -> None:
    with filled(mariadb_server, FEW, SHAPES[shape]) as url:
        few = await rows_read(url)
    with filled(mariadb_server, MANY, SHAPES[shape]) as url:
        many = await rows_read(url)
    print(f"\nrows read by the janitor, {shape}: {FEW:,} rows {few}; {MANY:,} rows {many}")
    assert {name: rows for name, rows in many.items() if rows > MOST_READ} == {}

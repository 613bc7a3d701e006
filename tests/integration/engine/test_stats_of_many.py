"""What the numbers cost with many names: statements and rows that MariaDB reads, counted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core.database import Connection, Database
from taskq_server.domain.task import PRIORITY_STEP_SECONDS
from taskq_server.services.stats import StatsService
from tests.integration.engine.test_list_depth import COLUMNS
from tests.support.callers import CALLER

QUEUES = 3_000
KEPT = 60_000
ROWS = f"INSERT INTO tasks ({', '.join(COLUMNS)}) SELECT "
QUEUED = {
    **COLUMNS,
    "queue": "CONCAT('q', seq)",
    "score": "1790000000000 + seq",
    "handler": "CONCAT('handler.', seq % 100)",
}
FINAL = {
    **COLUMNS,
    "id": "LOWER(CONCAT('0191', LPAD(HEX(seq), 28, '0')))",
    "status": "'succeeded'",
    "score": "NULL",
}
HANDLERS = """
INSERT INTO handlers (namespace, name, description, payload_schema, max_retries, timeout_seconds,
  updated_at)
SELECT 'default', CONCAT('handler.', seq - 1), '', '{}', 1, 1, NOW(6) FROM seq_1_to_100
"""
LEDGER = """
INSERT INTO task_counts (namespace, queue, status, amount)
SELECT namespace, queue, status, COUNT(*) FROM tasks GROUP BY namespace, queue, status
"""


@pytest.fixture
async def database(mariadb_url: str) -> AsyncIterator[Database]:
    """A migrated database with one connection, whose counters are ours."""
    database = Database(mariadb_url, pool_size=1)
    try:
        await migrations.upgrade(database)
        for statement in (
            f"{ROWS}{', '.join(QUEUED.values())} FROM seq_1_to_{QUEUES}",
            f"{ROWS}{', '.join(FINAL.values())} FROM seq_1_to_{KEPT}",
            HANDLERS,
            LEDGER,
            "ANALYZE TABLE tasks",
        ):
            await database.write(lambda c, say=statement: c.execute(text(say)))  # type: ignore[misc]
        yield database
    finally:
        await database.close()


async def counter(database: Database, like: str) -> int:
    async def read(connection: Connection) -> int:
        rows = await connection.execute(text(f"SHOW SESSION STATUS LIKE '{like}'"))
        return sum(int(value) for _, value in rows)

    return await database.read(read)


async def test_thousands_of_queues_cost_few_statements_and_few_rows(database: Database) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    stats = StatsService(database, lambda: now)
    said, read = await counter(database, "Com_select"), await counter(database, "Handler_read%")
    found = await stats.read(CALLER)
    said = await counter(database, "Com_select") - said
    read = await counter(database, "Handler_read%") - read
    await stats.close()
    ages = {queue.name: queue.oldest_age_seconds for queue in found.queues}
    assert len(ages) == QUEUES + 1
    assert ages["default"] is None
    due = 1_790_000_000.007 + PRIORITY_STEP_SECONDS
    assert ages["q7"] == pytest.approx(now.timestamp() - due)
    assert None not in {age for name, age in ages.items() if name != "default"}
    assert said <= 6
    assert read <= 9 * QUEUES

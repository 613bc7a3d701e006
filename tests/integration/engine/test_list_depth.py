"""What a page costs depends neither on where it is, nor on how few tasks pass its filters.

Rows that MariaDB reads for it are counted.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from taskq_server import migrations
from taskq_server.core.database import Connection, Database
from taskq_server.crud import listing
from taskq_server.crud.filters import Filter
from taskq_server.domain.task import Priority, Status

ROWS = 60_000
PAGE = 50
SEQ = f"seq_1_to_{ROWS}"
COLUMNS = {
    "id": "LOWER(CONCAT('0190', LPAD(HEX(seq), 28, '0')))",
    "status": "'queued'",
    "handler": "'taskq.echo'",
    "priority": "1",
    "score": "seq",
    "payload": "'{}'",
    **dict.fromkeys(("namespace", "queue", "title"), "'default'"),
    **dict.fromkeys(("timeout_seconds", "max_retries", "version"), "1"),
    **dict.fromkeys(("current_retry_count", "attempt", "lost_count"), "0"),
    **dict.fromkeys(("created_at", "updated_at"), "NOW(6)"),
}
MOST_READ = 8 * PAGE
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "status": {"statuses": (Status.QUEUED,)},
    "priority": {"priorities": (Priority.NORMAL,)},
    "handler": {"handlers": ("taskq.echo",)},
    "handlers": {"handlers": ("taskq.echo", "nobody")},
    "queue": {"queues": ("default",)},
    "tag": {"tag_ids": (1,)},
    "schedule": {"schedule": "nightly"},
}


@pytest.fixture
async def database(mariadb_url: str) -> AsyncIterator[Database]:
    """A migrated database with one connection, whose counters are ours."""
    database = Database(mariadb_url, pool_size=1)
    try:
        await migrations.upgrade(database)
        yield database
    finally:
        await database.close()


async def fill(database: Database) -> None:
    """Insert tasks that are alike, with one tag and schedule, and let MariaDB look at them."""
    for statement in (
        f"INSERT INTO tasks ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS.values())} FROM {SEQ}",
        "INSERT INTO tags (id, namespace, name) VALUES (1, 'default', 'one')",
        "INSERT INTO task_tags (task_id, tag_id) SELECT id, 1 FROM tasks",
        "INSERT INTO schedule_fires (schedule_id, fire_at, task_id, namespace, name)"
        " SELECT id, NOW(6), id, 'default', 'nightly' FROM tasks",
        "ANALYZE TABLE tasks, task_tags, schedule_fires",
    ):
        await database.write(lambda c, sql=statement: c.execute(text(sql)))  # type: ignore[misc]


def id_of(number: int) -> UUID:
    return UUID(f"0190{number:028x}")


async def rows_read(database: Database, wanted: Filter, found: int = PAGE) -> int:
    before = await database.read(_reads)
    page = await database.read(lambda c: listing.page(c, wanted))
    assert len(page.tasks) == found
    assert page.next_after is not None
    return await database.read(_reads) - before


async def _reads(connection: Connection) -> int:
    kinds = "'Handler_read_key', 'Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd'"
    found = await connection.execute(text(f"SHOW SESSION STATUS WHERE Variable_name IN ({kinds})"))
    return sum(int(row[1]) for row in found)


@pytest.mark.parametrize("descending", [True, False])
async def test_a_deep_page_costs_what_the_first_one_costs(
    database: Database, descending: bool
) -> None:
    await fill(database)
    middle = id_of(ROWS // 2)
    read = {
        (name, after): await rows_read(
            database,
            Filter(namespace="default", limit=PAGE, descending=descending, after=after, **fields),
        )
        for name, fields in FILTERS.items()
        for after in (None, middle)
    }
    assert {at: rows for at, rows in read.items() if rows > MOST_READ} == {}


LATER = datetime(2100, 1, 1, tzinfo=UTC)
RARE: dict[str, dict[str, Any]] = {
    "error_type": {"error_type": "Rare"},
    "error_type of a tag": {"error_type": "Rare", "tag_ids": (1,)},
    "error_type of a schedule": {"error_type": "Rare", "schedule": "nightly"},
    "error_type of statuses": {"error_type": "Rare", "statuses": (Status.FAILED,)},
    "error_type of handlers": {
        "error_type": "Rare",
        "handlers": ("taskq.echo", *(f"none{n}" for n in range(19))),
    },
    "attempt_min": {"attempt_min": 9},
    "attempt_min of handlers": {"attempt_min": 9, "handlers": ("taskq.echo", "nobody")},
    "finished_after": {"finished_after": LATER},
    "finished_after of a tag": {
        "finished_after": LATER,
        "statuses": (Status.FAILED,),
        "tag_ids": (1,),
    },
    "finished_before": {"finished_before": LATER, "error_type": "Rare"},
}
MOST_READ_OF_A_RARE_ONE = 7 * listing.BUDGET
"""The scan, the tasks and their last attempts, and once more where the scan has ended."""


async def test_a_page_that_nothing_passes_reads_no_more_than_its_budget(
    database: Database,
) -> None:
    await fill(database)
    for statement in (
        "UPDATE tasks SET status = 'failed', attempt = 1, score = NULL, finished_at = NOW(6)",
        "INSERT INTO task_attempts"
        " (task_id, attempt, handler, outcome, error_type, started_at, finished_at)"
        " SELECT id, 1, handler, 'failed', 'Common', NOW(6), NOW(6) FROM tasks",
        "ANALYZE TABLE tasks, task_attempts",
    ):
        await database.write(lambda c, sql=statement: c.execute(text(sql)))  # type: ignore[misc]
    read = {
        (name, descending): await rows_read(
            database,
            Filter(namespace="default", limit=PAGE, descending=descending, **fields),
            found=0,
        )
        for name, fields in RARE.items()
        for descending in (True, False)
    }
    assert {at: rows for at, rows in read.items() if rows > MOST_READ_OF_A_RARE_ONE} == {}

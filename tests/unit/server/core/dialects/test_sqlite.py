"""SQLite: a file that is not there."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from taskq_server.core.database import Database, ping
from taskq_server.domain.errors import DatabaseUnavailable


async def test_a_missing_database_is_unavailable(tmp_path: Path) -> None:
    database = Database(missing(tmp_path))
    for answer in (ping(database), database.write(lambda c: c.execute(text("SELECT 1")))):
        with pytest.raises(DatabaseUnavailable) as caught:
            await answer
        assert caught.value.retry_after >= 1
    await database.close()


def test_a_missing_database_leaves_no_thread_that_speaks_to_a_closed_loop(tmp_path: Path) -> None:
    """pytest makes what such a thread raises an error of this test; it is a race, so try often."""

    async def look() -> None:
        database = Database(missing(tmp_path))
        with pytest.raises(DatabaseUnavailable):
            await ping(database)
        await database.close()

    for _ in range(100):
        asyncio.run(look())


def missing(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'no' / 'folder' / 'taskq.db'}"

"""A migrated, empty database for each test."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskq_server import migrations
from taskq_server.core.database import Database


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at the newest revision, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "taskq.db"

    async def migrate() -> None:
        database = Database(f"sqlite+aiosqlite:///{file}")
        await migrations.upgrade(database)
        await database.close()

    asyncio.run(migrate())
    return file


@pytest.fixture
def url(migrated_file: Path, tmp_path: Path) -> str:
    """The URL of a migrated, empty database."""
    shutil.copy(migrated_file, tmp_path / "taskq.db")
    return f"sqlite+aiosqlite:///{tmp_path / 'taskq.db'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()

"""Fixtures of the server's unit tests: a migrated SQLite database for each test."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskq_server import migrations
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.runtime import Runtime, open_runtime


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


@pytest.fixture
async def runtime(url: str) -> AsyncIterator[Runtime]:
    """All that a process works with, on SQLite and without Redis."""
    settings = Settings(database_url=url, wait_poll_seconds=0.05, max_payload_bytes=2_000)
    async with open_runtime(settings) as opened:
        yield opened

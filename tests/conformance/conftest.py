"""A migrated, empty database of each kind; README.md says how to add one."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server import migrations
from taskq_server.core.database import Database
from taskq_server.models import Base, Deployment
from tests.support.databases import DATABASES, Kind

PATIENCE = 20.0  # a busy machine is not what these tests are about


@pytest.fixture(scope="session", params=DATABASES, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest, kind: Kind) -> Iterator[str]:
    """The URL of a migrated database, one for all tests: migrations take long."""
    with kind.empty(request) as new:
        asyncio.run(migrate(new))
        yield new


async def migrate(url: str) -> None:
    database = Database(url, connect_seconds=PATIENCE)
    await migrations.upgrade(database)
    await database.close()


async def empty(connection: AsyncConnection) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        if table.name != Deployment.__tablename__:  # a migration writes its row
            await connection.execute(table.delete())


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, connect_seconds=PATIENCE)
    await database.write(empty)
    yield database
    await database.close()

"""MySQL: a server that is not there."""

import asyncio

import pytest

from taskq_server.core.database import Database, ping
from taskq_server.domain.errors import DatabaseUnavailable


async def test_a_mysql_server_that_is_away_is_unavailable_within_two_seconds() -> None:
    database = Database("mysql+asyncmy://nobody@127.0.0.1:1/none", connect_seconds=1)
    async with asyncio.timeout(2):
        with pytest.raises(DatabaseUnavailable):
            await ping(database)
    await database.close()

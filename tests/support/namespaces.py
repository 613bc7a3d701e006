"""Namespaces for tests that use others than `default`."""

from taskq_server.core.database import Database
from taskq_server.services.namespaces import Namespaces


async def make_namespaces(database: Database, *names: str) -> None:
    """Make namespaces that may exist already."""
    for name in names:
        await Namespaces(database).create(name)

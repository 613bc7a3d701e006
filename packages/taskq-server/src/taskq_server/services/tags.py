"""Tag names to ids: from memory, else found or made in a short transaction of its own."""

from collections.abc import Iterable

from taskq_server.core.database import Connection, Database
from taskq_server.crud import tags

_MOST_REMEMBERED = 10_000


class TagIds:
    """Resolve tag names; tags are never deleted, so an id stays true."""

    def __init__(self, database: Database, namespace: str) -> None:
        self._database = database
        self._namespace = namespace
        self._known: dict[str, int] = {}

    async def make(self, names: Iterable[str]) -> dict[str, int]:
        """Return the id of each name; new names are stored."""
        known, missing = self._split(names)
        if missing:
            made = await self._database.write(lambda c: self._ensure(c, missing))
            self._remember(made)
            known |= made
        return known

    async def find(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of the names that exist."""
        known, missing = self._split(names)
        if missing:
            found = await self._database.read(lambda c: tags.find(c, self._namespace, missing))
            self._remember(found)
            known |= found
        return known

    def _split(self, names: Iterable[str]) -> tuple[dict[str, int], set[str]]:
        wanted = set(names)
        known = {name: self._known[name] for name in wanted if name in self._known}
        return known, wanted - known.keys()

    async def _ensure(self, connection: Connection, names: set[str]) -> dict[str, int]:
        found = await tags.find(connection, self._namespace, names)
        if names - found.keys():
            await tags.add(connection, self._namespace, names - found.keys())
            found = await tags.find(connection, self._namespace, names)
        return found

    def _remember(self, found: dict[str, int]) -> None:
        if len(self._known) + len(found) > _MOST_REMEMBERED:
            self._known.clear()
        self._known.update(found)

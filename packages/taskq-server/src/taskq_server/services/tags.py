"""Resolve tag names to ids, from a cache or in a short transaction of their own."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from taskq_server.core.database import Connection, Database
from taskq_server.core.groupcommit import GroupCommit
from taskq_server.crud import tags
from taskq_server.crud.pairs import Named
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import DatabaseUnavailable

T = TypeVar("T")

_REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 10_000
_TRIES = 10


class TagIds:
    """Resolve tag names, and cache their ids for a minute, because the janitor deletes idle tags.

    Args:
        database: holds the tags.
        clock: aware UTC.
        monotonic: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[Named, int] = {}
        self._known_since = monotonic()
        self._resolves: GroupCommit[Collection[Named], Mapping[Named, int]] = GroupCommit(
            self._resolve,
            weight=len,
            max_weight=_MOST_REMEMBERED,
            name="tags",
            observer=database.observer,
        )

    async def close(self) -> None:
        """Wait for the transactions under way."""
        await self._resolves.close()

    async def use(
        self,
        caller: Caller,
        names: Collection[str],
        link: Callable[[Mapping[str, int]], Awaitable[T]],
    ) -> T:
        """Call `link` with the id of each name, and return its result; new names are stored.

        Args:
            caller: the tags belong to its namespace.
            names: any number of names.
            link: links tasks to the ids, in one transaction. It is called again if it raises
                `TagGone`, because a tag was deleted meanwhile.
        """
        of = caller.namespace
        return await self.use_named(
            [(of, name) for name in names],
            lambda ids: link({name: ids[of, name] for name in names}),
        )

    async def use_named(
        self, names: Collection[Named], link: Callable[[Mapping[Named, int]], Awaitable[T]]
    ) -> T:
        """Do the same for tags of several namespaces.

        Args:
            names: any number of tags.
            link: links tasks to the ids, as for `use`.
        """
        for _ in range(_TRIES):
            ids = await self._ids(names)
            try:
                return await link(ids)
            except tags.TagGone:
                self._forget(names)
        raise DatabaseUnavailable("tags are deleted as fast as tasks are given them")

    async def _ids(self, names: Collection[Named]) -> Mapping[Named, int]:
        if self._monotonic() - self._known_since >= _REMEMBERED_SECONDS:
            self._known.clear()
            self._known_since = self._monotonic()
        known = {name: self._known[name] for name in names if name in self._known}
        missing = [name for name in names if name not in known]
        found = await self._resolves(missing) if missing else {}
        return known | {name: found[name] for name in missing}

    async def _resolve(self, asked: Sequence[Collection[Named]]) -> Sequence[Mapping[Named, int]]:
        names = {name for some in asked for name in some}
        found = await self._database.write(lambda c: self._ensure(c, names))
        if len(self._known) + len(found) > _MOST_REMEMBERED:
            self._known.clear()
        self._known.update(found)
        return [found] * len(asked)

    async def _ensure(self, connection: Connection, names: set[Named]) -> dict[Named, int]:
        found = await tags.find(connection, names)
        missing = names - found.keys()
        if missing:
            await tags.add(connection, missing, self._clock())
            found |= await tags.find(connection, missing)
        return found

    def _forget(self, names: Collection[Named]) -> None:
        for name in names:
            self._known.pop(name, None)

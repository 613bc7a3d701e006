"""Show the numbers of a process to a scraper."""

import asyncio
from contextlib import suppress

from taskq_server.core.database import DatabaseError
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.metrics.exposition import Page, page
from taskq_server.metrics.fleet import FleetCollector
from taskq_server.metrics.registry import Metrics
from taskq_server.services.fleet import Fleet

_UNKNOWN = (DatabaseUnavailable, DatabaseError)


class Exposition:
    """The numbers as pages.

    A page is written in a thread, because it may have many thousands of lines.

    Args:
        metrics: of this process.
        fleet: the facts of the deployment.
    """

    def __init__(self, metrics: Metrics, fleet: Fleet) -> None:
        self._metrics = metrics
        self._fleet = fleet

    async def of_api(self, accept: str) -> Page:
        """Return the numbers of this process, and the facts of the deployment.

        While the database is away, the facts are left out, because nobody knows them.

        Args:
            accept: the header of the request.
        """
        try:
            facts = await self._fleet.facts()
        except _UNKNOWN:
            return await asyncio.to_thread(page, accept, self._metrics.registry)
        self._metrics.submits.settle(facts.listened)
        fleet = FleetCollector(facts, self._metrics.queues)
        return await asyncio.to_thread(page, accept, self._metrics.registry, fleet)

    async def of_worker(self, accept: str) -> Page:
        """Return the numbers of this process alone.

        Args:
            accept: the header of the request.
        """
        if self._metrics.submits.has_unsettled:
            with suppress(*_UNKNOWN):  # they are counted later
                self._metrics.submits.settle(await self._fleet.listened())
        return await asyncio.to_thread(page, accept, self._metrics.registry)

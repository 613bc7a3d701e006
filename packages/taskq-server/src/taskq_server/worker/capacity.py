"""How much more a worker may claim now."""

from collections.abc import Collection
from uuid import UUID

from taskq_server.worker.liveness.lease import Lease
from taskq_server.worker.runner import Runner, RunnerDeps

MOST_ALONE = 1_000
"""Claims under way of a worker that serves one namespace."""

MOST_SHARED = 8
"""Claims under way of a worker that serves several."""


class Capacity:
    """The room that a worker has.

    Args:
        deps: have the slots of handlers, the threads of sync ones, and processes.
        runner: has the attempts that are under way.
        lease: without a valid one, nothing may be claimed.
        concurrency: handlers that may run at once.
        has_sync: whether the worker has handlers that need a thread.
        is_shared: whether the worker serves several namespaces.
    """

    def __init__(
        self,
        deps: RunnerDeps,
        runner: Runner,
        lease: Lease,
        concurrency: int,
        *,
        has_sync: bool,
        is_shared: bool,
    ) -> None:
        self._concurrency = concurrency
        self._lease = lease
        self._slots = deps.slots
        self._threads = deps.executor.threads
        self._processes = deps.processes
        self._runner = runner
        self._has_sync = has_sync
        self._is_shared = is_shared

    def attempts(self) -> int:
        """Return how many attempts may be under way.

        Attempts that only wait for a commit need no slot, so as many again may be claimed.
        """
        if not self._lease.is_valid:
            return 0
        return self._slots.claimable + min(self._runner.committing, self._concurrency)

    def claims(self) -> int:
        """Return how many attempts more may be claimed at this moment.

        A task waits for the claims before its own, so where namespaces share a worker, one with a
        backlog gets them in small batches.
        """
        return MOST_SHARED - self._runner.claiming if self._is_shared else MOST_ALONE

    def processes(self) -> int:
        """Return how many tasks more would have a process."""
        return self._processes.free()

    def threads(self, promised: Collection[UUID]) -> int:
        """Return how many tasks more would have a thread.

        Args:
            promised: tasks that have been promised one; those that are being claimed count.
        """
        if not self._has_sync:
            return 0
        return self._threads.room - len(self._runner.claims(promised))

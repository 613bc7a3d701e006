"""The queues of the server, for the asyncio client."""

import builtins

from taskq_client._core import Core
from taskq_client.queues import Queue


class AsyncQueues:
    """Operations on queues, as `client.queues`."""

    __slots__ = ("_core",)

    def __init__(self, core: Core) -> None:
        self._core = core

    async def list(self) -> builtins.list[Queue]:
        """Fetch the queues that have tasks or live workers, or that were paused, by name.

        Raises:
            PermissionDenied: The key has not `tasks:read`.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.queues.list()

    async def pause(self, name: str, *, note: str | None = None) -> Queue:
        """Pause a queue and return it: once this returns, none of its tasks starts anywhere.

        What runs goes on; retries, and tasks that lost their worker, wait. A queue that is paused
        stays so.

        Args:
            name: The name of the queue, used or not.
            note: Why, for people, up to 500 characters. Default: the note of an earlier pause.

        Raises:
            PermissionDenied: The key has not `tasks:operate`.
            ValidationFailed: No queue has such a name, or the note is out of bounds.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.queues.pause(name, note)

    async def resume(self, name: str) -> Queue:
        """Let a queue go on, if it is paused, and return it.

        Args:
            name: The name of the queue.

        Raises:
            PermissionDenied: The key has not `tasks:operate`.
            ValidationFailed: No queue has such a name.
            TaskqError: The server refused, failed or could not be reached.
        """
        return await self._core.queues.resume(name)

# Made by tools/make_blocking_client.py from _async_service.py, so change that file.
"""The operations of the blocking client on the server itself."""

from taskq_client._channels import finish
from taskq_client._sync_history import History
from taskq_client.models import Caller, Handler, Health, Stats, Tag, Worker


class Service(History):
    """Operations on handlers, tags, numbers of tasks, workers, the caller, and health."""

    __slots__ = ()

    def handlers(self) -> list[Handler]:
        """Fetch the handlers that workers have published.

        Raises:
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.service.handlers())

    def tags(self) -> list[Tag]:
        """Fetch the tags and how many tasks carry each.

        Raises:
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.service.tags())

    def stats(self) -> Stats:
        """Fetch how many tasks there are, by queue and status, and how long the oldest waits.

        Raises:
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.service.stats())

    def workers(self) -> list[Worker]:
        """Fetch the workers that are alive, and what they run now, the last one started first.

        Raises:
            PermissionDenied: The key has neither `tasks:read` nor `metrics:read`.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.service.workers())

    def whoami(self) -> Caller:
        """Ask the server who this client is: its key, and what that may do.

        A server that asks for no keys answers with the `id` None and all scopes.

        Raises:
            Unauthenticated: The server wants a key, and this one opens nothing.
            TaskqError: The server refused, failed or could not be reached.
        """
        return finish(self._core.service.whoami())

    def health(self) -> Health:
        """Ask whether the server is ready for work, and return its answer, also if it is not ready.

        Raises:
            TaskqConnectionError: Nothing answers at the url.
            TaskqTimeout: No answer came in time.
        """
        return finish(self._core.service.health())

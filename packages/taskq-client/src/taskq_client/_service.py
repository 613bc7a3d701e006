"""The operations on the server itself: handlers, tags, numbers, workers, the caller, and health."""

from urllib.parse import urlencode

from taskq_client import _answers
from taskq_client._channels import Request
from taskq_client._sender import RetryingSender
from taskq_client.models import Caller, Handler, Health, Page, Stats, Tag, Worker

_LARGEST_PAGE = 200


class Service:
    """Read handlers, tags, numbers of tasks, workers, the caller, and the health of the server.

    Args:
        sender: Sends the requests.
    """

    def __init__(self, sender: RetryingSender) -> None:
        self._sender = sender

    async def handlers(self) -> list[Handler]:
        return _answers.decode(await self._sender.get("/handlers"), Page[Handler]).items

    async def tags(self) -> list[Tag]:
        return _answers.decode(await self._sender.get("/tags"), Page[Tag]).items

    async def stats(self) -> Stats:
        return _answers.decode(await self._sender.get("/stats"), Stats)

    async def workers(self) -> list[Worker]:
        found: list[Worker] = []
        wanted: dict[str, int | str] = {"limit": _LARGEST_PAGE}
        while True:
            answer = await self._sender.get(f"/workers?{urlencode(wanted)}")
            page = _answers.decode(answer, Page[Worker])
            found += page.items
            if not page.next_cursor:
                return found
            wanted["cursor"] = page.next_cursor

    async def whoami(self) -> Caller:
        return _answers.decode(await self._sender.get("/keys/self"), Caller)

    async def health(self) -> Health:
        request = Request("GET", "/readyz", self._sender.timeout)
        return _answers.health(await self._sender.send(request, any_status=True))

"""The operations on queues."""

import builtins
from urllib.parse import quote

from taskq_client import _answers, _requests
from taskq_client._channels import Request
from taskq_client._inputs import text
from taskq_client._sender import JSON, RetryingSender
from taskq_client.models import Page
from taskq_client.queues import Queue


class Queues:
    """List queues, pause and resume them.

    Args:
        sender: Sends the requests.
    """

    def __init__(self, sender: RetryingSender) -> None:
        self._sender = sender

    async def list(self) -> builtins.list[Queue]:
        return _answers.decode(await self._sender.get("/queues"), Page[Queue]).items

    async def pause(self, name: str, note: str | None) -> Queue:
        path, timeout = _path(name, "pause"), self._sender.timeout
        request = Request("POST", path, timeout)
        if note is not None:
            body = _requests.encode({"note": text("note", note)})
            request = Request("POST", path, timeout, dict(JSON), body)
        return _answers.decode(await self._sender.send(request), Queue)

    async def resume(self, name: str) -> Queue:
        request = Request("POST", _path(name, "resume"), self._sender.timeout)
        return _answers.decode(await self._sender.send(request), Queue)


def _path(name: str, action: str) -> str:
    # A slash is written as any other letter, because a path with `..` would lead elsewhere.
    return f"/queues/{quote(text('the name of a queue', name), safe='')}/{action}"

"""Callers that a test plays without a socket: they hang up when told to."""

import asyncio

from starlette.types import ASGIApp, Message


class Caller:
    """An ASGI server with one caller, who sends a request, waits, and then hangs up."""

    def __init__(self, body: bytes = b"") -> None:
        self.waits = asyncio.Event()
        self.hangs_up = asyncio.Event()
        self.status: int | None = None
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._body: bytes | None = body

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body}
        self.waits.set()
        await self.hangs_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if message.get("body"):
            self._pieces.put_nowait(message["body"])
        if not message.get("more_body"):
            self._pieces.put_nowait(None)

    async def piece(self) -> bytes | None:
        """Return what comes next, within five seconds; None after the end."""
        async with asyncio.timeout(60):
            return await self._pieces.get()

    def get(self, app: ASGIApp, path: str, **headers: str) -> asyncio.Task[None]:
        """Send a GET request; the task ends when it is served."""
        scope = {
            "type": "http",
            "client": ("127.0.0.1", 123),
            "method": "GET",
            "path": path.partition("?")[0],
            "query_string": path.partition("?")[2].encode(),
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        }

        async def serve() -> None:
            await app(scope, self.receive, self.send)

        return asyncio.create_task(serve())

"""What the server that runs the application hears when it cannot start."""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskq_server.domain.errors import ConfigurationError


class StartUp:
    """Say in one sentence which setting cannot be used, as the commands do.

    Starlette says the whole traceback, and the server prints it.

    Args:
        app: serves the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or start the application."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def briefly(message: Message) -> None:
            error = sys.exception()  # because of which Starlette sends the message
            if isinstance(error, ConfigurationError):
                message["message"] = str(error)
            await send(message)

        await self._app(scope, receive, briefly)

"""The access log: a line for each request that is answered, where the settings ask for it."""

import logging
from collections.abc import Callable

from starlette.types import Scope

from taskq_server.api.connections import caller_address
from taskq_server.core.config import Settings

_log = logging.getLogger("taskq.server.access")


class AccessLog:
    """Tell of requests: what was asked for, by which address, and the answer.

    Of the path alone, because a query may say what a task is about.

    Args:
        settings: returns the settings; None before the application has started.
    """

    def __init__(self, settings: Callable[[], Settings | None]) -> None:
        self._settings = settings

    @property
    def is_on(self) -> bool:
        """Whether the settings ask for it."""
        settings = self._settings()
        return settings is not None and settings.access_log

    def tell(self, scope: Scope, status: int | None, seconds: float) -> None:
        """Tell of a request.

        Args:
            scope: of the request.
            status: of its answer; None if there was none, because the caller hung up.
            seconds: until all of the answer was sent.
        """
        _say(scope["method"], scope["path"], status, seconds, self._client(scope))

    def _client(self, scope: Scope) -> str:
        settings = self._settings()
        return caller_address(scope, () if settings is None else settings.trusted_proxies)


def tell_refusal(status: int, client: str) -> None:
    """Tell of an answer to what is no request that could be served.

    Args:
        status: of the answer.
        client: the address that it was sent to.
    """
    _say("-", "-", status, 0.0, client)


def _say(method: str, path: str, status: int | None, seconds: float, client: str) -> None:
    milliseconds = round(seconds * 1_000, 1)
    _log.info(
        "%s %s %s in %s ms", method, path, status or "without an answer", milliseconds,
        extra={
            "method": method,
            "path": path,
            "status": status,
            "milliseconds": milliseconds,
            "client": client,
        },
    )  # fmt: skip

"""The route classes of pages: errors become pages. The guard has seen where forms come from."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from taskq_server.api.dependencies import runtime_of
from taskq_server.api.strict_route import StrictRoute
from taskq_server.dashboard import assets, error_page
from taskq_server.domain.errors import PermissionDenied

Handle = Callable[[Request], Coroutine[Any, Any, Response]]

_READ_ONLY = "this dashboard changes nothing, because TASKQ_DASHBOARD is read-only"


class PageRoute(StrictRoute):
    """A route of a page, or of a form that changes only how pages are shown to its sender.

    Its `operation_id` is that of the API's operation that shows or does the same, whose scopes it
    asks for.
    """

    changes_work = False

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "include_in_schema": False})

    def get_route_handler(self) -> Handle:
        """Return the route's handler, whose errors are pages."""
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            if assets.missing():
                return assets.absent()
            try:
                self._check(request)
                return await handle(request)
            except (HTTPException, ClientDisconnect):
                raise  # of a dependency of the application's owner, or to nobody
            except Exception as error:
                return error_page.of(request, error)

        return page

    def _check(self, request: Request) -> None:
        if request.method != "POST":
            return
        if self.changes_work and runtime_of(request.app).settings.dashboard == "read-only":
            raise PermissionDenied(_READ_ONLY, [])


class ActionRoute(PageRoute):
    """A route of a form that changes tasks, queues, schedules or keys."""

    changes_work = True

"""The errors of the fake, as the server writes them."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import httpx


class Problem(Exception):
    """An answer that says no."""

    def __init__(
        self, status: int, code: str, detail: str = "", errors: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors

    def response(self, headers: dict[str, str] | None = None) -> httpx.Response:
        """Write it as a problem document."""
        title = HTTPStatus(self.status).phrase
        body = {
            "type": f"urn:taskq:problem:{self.code}",
            "title": title,
            "status": self.status,
            "detail": self.detail or title,
            "instance": "urn:taskq:request:fake",
            "code": self.code,
            "request_id": "fake",
            "errors": list(self.errors),
        }
        media_type = {"content-type": "application/problem+json", "x-request-id": "fake"}
        content = json.dumps(body).encode()
        return httpx.Response(
            self.status, headers={**media_type, **(headers or {})}, content=content
        )


def not_found(task_id: str) -> Problem:
    """There is no such task."""
    return Problem(404, "task-not-found", f"there is no task {task_id}")


def conflict(detail: str) -> Problem:
    """The task's status forbids this."""
    return Problem(409, "invalid-transition", detail)

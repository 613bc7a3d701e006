"""The errors of the fake, as the server writes them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

import httpx

from taskq_client.testing._rules import PROBLEMS

MAX_ERRORS = 100
_NO_OPERATION_SAYS = {
    "unauthenticated": (401, "Unauthenticated"),
    "forbidden": (403, "Permission denied"),
    "method-not-allowed": (405, "Method not allowed"),
}


class Problem(Exception):
    """An error as an answer.

    Args:
        code: Says what it is; the rules know the status.
        detail: What happened this time.
        errors: The broken rules.
        headers: Of the answer.
        status: Of a problem that is none of the server's.
        more: Members that only this problem has.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        status: int = 0,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code, detail)
        known = _NO_OPERATION_SAYS | PROBLEMS
        self.status, self.title = known.get(code) or (status, _phrase(status))
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.more = more or {}

    def response(self, request_id: str) -> httpx.Response:
        """Return the answer with the problem document."""
        body = {
            "type": f"urn:taskq:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail or self.title,
            "instance": f"urn:taskq:request:{request_id}",
            "code": self.code,
            "request_id": request_id,
            "errors": list(self.errors[:MAX_ERRORS]),
            **self.more,
        }
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {**self.headers, "content-type": "application/problem+json"}
        return httpx.Response(self.status, headers=headers, content=content)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Scripted"


def field(where: str, code: str, detail: str) -> dict[str, str]:
    """Return the entry for a broken rule, and its place."""
    return {"pointer": where, "code": code, "detail": detail}


def invalid(code: str, detail: str, where: str, *, kind: str = "invalid-request") -> Problem:
    """Return the problem of one value that breaks a rule."""
    return Problem(kind, detail, [field(where, code, detail)])


def pointer(path: Iterable[str | int]) -> str:
    """Write a path as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def not_found(task_id: str) -> Problem:
    """Return the problem of an unknown task."""
    return Problem("task-not-found", f"there is no task {task_id}")


def conflict(detail: str) -> Problem:
    """Return the problem of a change that the status forbids."""
    return Problem("invalid-transition", detail)

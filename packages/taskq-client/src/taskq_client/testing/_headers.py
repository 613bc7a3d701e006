"""The headers of requests that the server reads, and the headers of its answers."""

import re
from dataclasses import dataclass

import httpx

from taskq_client._traceparent import valid_traceparent
from taskq_client.testing._problems import Problem, field
from taskq_client.testing._rules import OPERATIONS

OF_EVERY_ANSWER = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
"""What browsers are told."""

MOST_WAIT: int = OPERATIONS["get"]["query"]["wait"]["maximum"]

_PREFERENCE = re.compile(r'([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s;,"]*)))?[^,]*(?:,|\Z)')
_SECONDS = re.compile(r"[0-9]{1,9}")
_ENTITY_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|\Z)')
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_id(request: httpx.Request, number: int) -> str:
    """Return the id in a request if it is safe to log, else a new one."""
    given = request.headers.get_list("x-request-id")
    return given[0] if given and _REQUEST_ID.fullmatch(given[0]) else f"{number:032x}"


@dataclass(frozen=True)
class Preferences:
    """The preferences in `Prefer`; `wait` is in seconds."""

    wait: int | None
    minimal: bool


def preferences(request: httpx.Request) -> Preferences:
    """Read `Prefer`, without unknown preferences."""
    found: dict[str, str] = {}
    for match in _PREFERENCE.finditer(", ".join(request.headers.get_list("prefer"))):
        found.setdefault(match[1].lower(), match[2] or match[3] or "")
    seconds = found.get("wait", "")
    wait = min(int(seconds), MOST_WAIT) if _SECONDS.fullmatch(seconds) else None
    return Preferences(wait, found.get("return", "").lower() == "minimal")


class EntityTags:
    """The value of `If-Match` or `If-None-Match`."""

    def __init__(self, name: str, value: str) -> None:
        self.any = value.strip() == "*"
        self.strong: set[str] = set()
        self.weak: set[str] = set()
        end = 0
        while not self.any and (match := _ENTITY_TAG.match(value, end)):
            (self.weak if match[1] else self.strong).add(match[2])
            end = match.end()
        if not self.any and (end < len(value) or not value):
            detail = 'must be "*" or a list of quoted entity tags'
            error = field(f"/header/{name}", "invalid-header", detail)
            raise Problem("invalid-header", detail, [error])

    def match(self, version: int, *, weakly: bool) -> bool:
        """Tell whether one of the tags is this version."""
        return self.any or str(version) in (self.strong | self.weak if weakly else self.strong)


def entity_tags(request: httpx.Request, name: str) -> EntityTags | None:
    """Read a header of entity tags, if it is there."""
    given = request.headers.get_list(name)
    return EntityTags(name, ", ".join(given)) if given else None


def entity_tag(version: int) -> dict[str, str]:
    """Return the header with the version of a task."""
    return {"etag": f'"{version}"'}


def traceparent(request: httpx.Request) -> str | None:
    """Return the trace that a submit belongs to, if the request names one and only one."""
    given = request.headers.get_list("traceparent")
    return valid_traceparent(given[0]) if len(given) == 1 else None

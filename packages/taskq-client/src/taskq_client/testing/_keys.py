"""The keys of the fake, and what their callers may do, as the server decides it."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import httpx

from taskq_client.testing._problems import Problem, field

READ, WRITE, OPERATE = "tasks:read", "tasks:write", "tasks:operate"
METRICS, RUN = "metrics:read", "tasks:run:"
AUTHORIZATION = "/header/authorization"
NAMESPACE = "default"

ACCESS: Mapping[str, tuple[str, ...]] = {
    "submit": (RUN,),
    "submit_many": (RUN,),
    "list": (READ,),
    "update": (WRITE,),
    "delete": (WRITE,),
    "cancel": (WRITE,),
    "retry": (WRITE,),
    "bulk": (OPERATE,),
    "bulk_operations": (READ,),
    "get_bulk": (READ,),
    "stop_bulk": (OPERATE,),
    "tags": (READ,),
    "stats": (READ, METRICS),
    "workers": (READ, METRICS),
    "stats_history": (READ, METRICS),
    "stats_events": (READ,),
    "failures": (READ,),
    "queues": (READ,),
    "pause_queue": (OPERATE,),
    "resume_queue": (OPERATE,),
    "set_schedule": (OPERATE,),
    "update_schedule": (OPERATE,),
    "list_schedules": (READ,),
    "get_schedule": (READ,),
    "delete_schedule": (OPERATE,),
    "pause_schedule": (OPERATE,),
    "resume_schedule": (OPERATE,),
    "fire_schedule": (OPERATE,),
    "preview_schedule": (READ,),
}
"""The scopes of which a caller needs one, by operation; for the others any key will do."""

_PLAIN = frozenset({READ, WRITE, METRICS, OPERATE, "admin"})
EVERYTHING = _PLAIN | {f"{RUN}*"}
_GLOB = re.compile(r"[A-Za-z0-9._*-]{1,128}")
_MOST_STARS = 8
_MOST_BYTES = 200
_PROBES = ("/livez", "/readyz")


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        scopes: What the caller may do.
        key_id: The id of its key; None where no key is asked for.
        name: The name of its key.
        created_at: When the key was made.
    """

    scopes: tuple[str, ...]
    key_id: str | None = None
    name: str | None = None
    created_at: datetime | None = None

    def may(self, *any_of: str) -> bool:
        """Tell whether the caller has one of some scopes; `tasks:run:` stands for each of these."""
        return any(
            scope in any_of or (RUN in any_of and scope.startswith(RUN)) for scope in self.scopes
        )

    def may_run(self, handler: str) -> bool:
        """Tell whether the caller may submit to a handler."""
        return any(
            fnmatchcase(handler, scope.removeprefix(RUN))
            for scope in self.scopes
            if scope.startswith(RUN)
        )

    def sees(self, submitted_by: str | None) -> bool:
        """Tell whether the caller sees the tasks that a key has submitted."""
        return self.may(READ) or (self.key_id is not None and submitted_by == self.key_id)

    def check(self, operation: str) -> None:
        """Raise the problem of the server if the caller may not ask for an operation at all."""
        needed = ACCESS.get(operation, ())
        if needed:
            self.check_may(*needed)

    def check_may(self, *any_of: str) -> None:
        """Raise the problem of the server if the caller has none of some scopes."""
        if not self.may(*any_of):
            raise _denied({AUTHORIZATION: " or ".join(any_of)})

    def check_may_run(self, handlers: Mapping[str, str]) -> None:
        """Raise the problem of the server if the caller may not submit to all of some handlers.

        Args:
            handlers: The name of the handler by the pointer to what asks for it.
        """
        foreign = {at: f"{RUN}{name}" for at, name in handlers.items() if not self.may_run(name)}
        if foreign:
            raise _denied(foreign)


class Keys:
    """The keys that tests have made; without any, nobody needs one."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}
        self._revoked: set[str] = set()

    def make(self, scopes: Iterable[str], name: str, now: datetime) -> str:
        """Make a key and return it whole."""
        given = tuple(scopes)
        if not given:
            raise ValueError("a key has at least one scope")
        for scope in given:
            _check_scope(scope)
        key_id = f"fake{len(self._callers) + 1:08}"
        key = f"tq_{key_id}_{secrets.token_urlsafe(32)}"
        self._callers[key] = Caller(given, key_id, name, now)
        return key

    def revoke(self, key: str) -> None:
        """Let a key open nothing any more."""
        if key not in self._callers:
            raise ValueError("this fake has made no such key")
        self._revoked.add(key)

    def caller(self, request: httpx.Request) -> Caller:
        """Find out who asks, or raise the problem of the server."""
        if not self._callers:
            return Caller(tuple(sorted(EVERYTHING)))
        try:
            return self._opened(_token(request.headers.get_list("authorization")))
        except Problem:
            if request.url.path in _PROBES:
                return Caller(())
            raise

    def _opened(self, token: str) -> Caller:
        if token not in self._callers or token in self._revoked:
            raise _unauthenticated()
        return self._callers[token]


def whoami(caller: Caller, wired: Any) -> dict[str, Any]:
    """Return a caller on the wire.

    Args:
        caller: Who asks.
        wired: Writes a time as the server does.
    """
    return {
        "id": caller.key_id,
        "name": caller.name,
        "namespace": NAMESPACE,
        "scopes": list(caller.scopes),
        "rate_limit": None,
        "created_at": None if caller.created_at is None else wired(caller.created_at),
        "expires_at": None,
        "last_used_at": None,
    }


def _check_scope(scope: str) -> None:
    glob = scope.removeprefix(RUN)
    is_glob = glob != scope and _GLOB.fullmatch(glob) and glob.count("*") <= _MOST_STARS
    if scope not in _PLAIN and not is_glob:
        known = ", ".join(sorted(_PLAIN))
        raise ValueError(f"{scope!r} is no scope: there are {known}, and {RUN}<glob of handlers>")


def _token(shown: list[str]) -> str:
    if len(shown) != 1 or len(shown[0]) > _MOST_BYTES:
        raise _unauthenticated()
    scheme, _, token = shown[0].partition(" ")
    if scheme.lower() != "bearer":
        raise _unauthenticated()
    return token.strip(" ")


def _unauthenticated() -> Problem:
    detail = "send `Authorization: Bearer` and a valid API key"
    return Problem("unauthenticated", detail, headers={"www-authenticate": "Bearer"})


def _denied(missing: Mapping[str, str]) -> Problem:
    """Return the problem of a caller without some scopes, by the pointers to what needs them."""
    first, *others = dict.fromkeys(missing.values())
    detail = f"this needs a key with the scope {first}"
    detail += f", and {len(others)} more of that kind" if others else ""
    errors = [field(pointer, "missing-scope", scope) for pointer, scope in missing.items()]
    return Problem("forbidden", detail, errors)

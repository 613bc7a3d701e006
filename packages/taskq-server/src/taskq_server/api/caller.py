"""The caller of a request, in the state of its scope, where the guard puts it."""

from collections.abc import Awaitable, Callable

from starlette.types import Scope

from taskq_server.api.errors import NotStarted
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import PermissionDenied, Unauthenticated

FindCaller = Callable[[Scope], Awaitable[Caller]]
"""Returns the caller of a request as of a moment ago; raises an error if nobody is."""

_STATE = "caller"
_FIND = "find_caller"


def set_caller(scope: Scope, caller: Caller, find: FindCaller) -> None:
    """Say who sends a request, and how to find that out again."""
    scope["state"][_STATE] = caller
    scope["state"][_FIND] = find


def caller_of(scope: Scope) -> Caller:
    """Return the caller of a request.

    A route calls this itself, because FastAPI takes several microseconds for a dependency.

    Raises:
        NotStarted: the route serves without its application.
    """
    caller = known_caller(scope)
    if caller is None:
        raise NotStarted  # its middleware is not there, either
    return caller


def known_caller(scope: Scope) -> Caller | None:
    """Return the caller of a request, or None before it is known."""
    caller: Caller | None = scope.get("state", {}).get(_STATE)
    return caller


def set_caller_of_probe(scope: Scope, find: Callable[[Scope], Awaitable[Caller | None]]) -> None:
    """Say how to find out who sends a probe, which nobody has asked for."""
    scope["state"][_FIND] = find


async def caller_of_probe(scope: Scope) -> Caller | None:
    """Return the caller of a probe; None for one of whom nothing is known, which needs no key."""
    find: Callable[[Scope], Awaitable[Caller | None]] | None = scope.get("state", {}).get(_FIND)
    return None if find is None else await find(scope)


async def check_again(scope: Scope) -> None:
    """Check that the key of a request that takes long still opens what it did.

    Raises:
        Unauthenticated: the key opens nothing any more, or one is asked for by now.
        PermissionDenied: the key has lost a scope.
        DatabaseUnavailable: nobody knows.
    """
    find: FindCaller = scope["state"][_FIND]
    before, now = caller_of(scope), await find(scope)
    if not now.is_in(before.namespace):  # no key was asked for before, and one is by now
        raise Unauthenticated
    lost = before.scopes - now.scopes
    if lost:
        raise PermissionDenied.missing(*sorted(lost))

"""How many requests a key and an address may send: what the guard asks before a body is read."""

from starlette.types import Scope

from taskq_server.api.caller import FindCaller
from taskq_server.api.connections import caller_address
from taskq_server.core import proxies
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import Unauthenticated
from taskq_server.runtime import Runtime


async def admitted(runtime: Runtime, scope: Scope, find: FindCaller) -> Caller:
    """Return the caller of a request that is not one too many.

    A request without any key is no failure: it tries none. One with a right key is never refused
    for what others at its address do.

    Raises:
        RateLimited: its key has sent too many requests, or its address too many wrong keys.
        TaskqError: `find` raises it.
    """
    try:
        caller = await find(scope)
    except Unauthenticated:
        if any(name == b"authorization" for name, _ in scope["headers"]):
            count_failure(runtime, scope)
        raise
    await runtime.rate_limits.take(caller)
    return caller


def count_failure(runtime: Runtime, scope: Scope) -> None:
    """Count a request with a key that opens nothing.

    Raises:
        RateLimited: its address has sent too many.
    """
    runtime.auth_failures.count(_neighbourhood(runtime, scope))


def _neighbourhood(runtime: Runtime, scope: Scope) -> str:
    return proxies.neighbourhood(caller_address(scope, runtime.settings.trusted_proxies))

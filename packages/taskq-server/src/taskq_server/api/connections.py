"""How a request has reached the server: from which address, and whether nobody listens in."""

from starlette.types import Scope

from taskq_server.api.allowed_hosts import names_this_machine
from taskq_server.core import proxies

Networks = proxies.Networks

_FOR = b"x-forwarded-for"
_PROTO = b"x-forwarded-proto"
_OF_PROXIES = frozenset({_FOR, _PROTO, b"x-forwarded-host", b"forwarded", b"via"})


def caller_address(scope: Scope, trusted: Networks) -> str:
    """Return the address that a request comes from, as trusted proxies say; empty if it has none.

    Args:
        scope: of the request.
        trusted: the networks of the proxies.
    """
    forwarded = [value.decode("latin-1") for value in _all(scope, _FOR)]
    return proxies.caller_address(trusted, _peer(scope), forwarded)


def is_encrypted(scope: Scope, trusted: Networks) -> bool:
    """Return whether a request has come over https, all the way or to the proxy.

    The word of a trusted proxy counts, and that of whoever may open the server's Unix socket;
    several words, or one that is neither `http` nor `https`, count as no.

    Args:
        scope: of the request.
        trusted: the networks of the proxies.
    """
    said = _all(scope, _PROTO)
    if said and (not scope.get("client") or proxies.is_in(trusted, _peer(scope))):
        return len(said) == 1 and said[0].strip().lower() == b"https"
    return bool(scope.get("scheme") == "https")


def is_within_machine(scope: Scope, trusted: Networks) -> bool:
    """Return whether a request comes from this machine, for a name that stands for it.

    What a proxy has passed on that is not trusted may come from anywhere.

    Args:
        scope: of the request.
        trusted: the networks of the proxies.
    """
    if not proxies.is_in(trusted, _peer(scope)) and not _OF_PROXIES.isdisjoint(
        name for name, _ in scope["headers"]
    ):
        return False
    return proxies.is_in(proxies.LOOPBACK, caller_address(scope, trusted)) and (
        names_this_machine(scope)
    )


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _all(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == wanted]

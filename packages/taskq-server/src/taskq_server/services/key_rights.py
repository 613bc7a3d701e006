"""Which keys a caller with the scope `admin` manages, and which scopes it gives away.

A namespace's key manages the keys of its namespace, and gives away no scope that it has not: not in
a new key, and not in a new secret of another key. An operator's key manages all keys and gives away
any scope, because whoever made it for the first start of a deployment has no other key.
"""

from collections.abc import Sequence

from taskq_server.domain import scopes
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import AUTHORIZATION, FieldError, KeyNotFound, PermissionDenied
from taskq_server.domain.keys import ApiKey


def check_manages(caller: Caller, namespace: str | None, pointer: str) -> None:
    """Check that a caller manages the keys of a namespace.

    Args:
        caller: with the scope `admin`.
        namespace: None stands for all.
        pointer: to what names it in the request.

    Raises:
        PermissionDenied: the caller does not.
    """
    if not caller.is_operator and (namespace is None or not caller.is_in(namespace)):
        detail = f"this key manages the keys of the namespace {caller.namespace} only"
        raise PermissionDenied(detail, [FieldError(pointer, "foreign-namespace", detail)])


def managed(caller: Caller, key_id: str, key: ApiKey | None) -> ApiKey:
    """Return the key of an id if there is one that the caller manages.

    Raises:
        KeyNotFound: there is none.
    """
    if key is None or not (caller.is_operator or caller.is_in(key.namespace)):
        raise KeyNotFound(f"there is no key {key_id}")
    return key


def check_gives(caller: Caller, given: Sequence[str], *, in_body: bool) -> None:
    """Check that a caller may give away some scopes.

    Args:
        caller: with the scope `admin`.
        given: the scopes.
        in_body: whether the request names them, so that errors can point at them there.

    Raises:
        PermissionDenied: the caller has some of them not itself, and is no operator.
    """
    missing = [] if caller.is_operator else scopes.not_granted(caller.scopes, given)
    if not missing:
        return
    errors = [
        FieldError(
            f"/scopes/{given.index(scope)}" if in_body else AUTHORIZATION, "missing-scope", scope
        )
        for scope in missing
    ]
    detail = f"this needs a key that has the scopes itself: {', '.join(missing)}"
    raise PermissionDenied(detail, errors)

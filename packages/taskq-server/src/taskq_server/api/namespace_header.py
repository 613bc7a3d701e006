"""The header `Taskq-Namespace`: an operator, who belongs to no namespace, names one with it."""

from dataclasses import replace
from typing import Any

from starlette.types import Scope

from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import FieldError, InvalidFields, PermissionDenied
from taskq_server.services.namespaces import Namespaces

NAME = "Taskq-Namespace"

PARAMETER: dict[str, Any] = {
    "name": NAME,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1},
    "description": "The namespace that the request is about, in UTF-8: necessary for an "
    "operator's key, which belongs to none. Any other key has a namespace, and may name no other.",
}
"""The header for the OpenAPI document."""

_FIELD = NAME.lower().encode()
_POINTER = f"/header/{NAME.lower()}"


async def named(scope: Scope, caller: Caller, namespaces: Namespaces) -> Caller:
    """Return the caller of a request within the namespace that the request names.

    Args:
        scope: of the request.
        caller: who sends it.
        namespaces: know which there are.

    Raises:
        InvalidFields: the header cannot be read, or names no namespace.
        PermissionDenied: the caller belongs to another namespace.
        DatabaseUnavailable: nobody knows whether there is such a namespace.
    """
    shown = [value for name, value in scope["headers"] if name == _FIELD]
    if not shown:
        return caller
    name = _text(shown)
    if caller.is_operator:
        await namespaces.require(name, _POINTER)
        return replace(caller, namespace=name)
    if caller.is_in(name):
        return caller
    detail = f"this caller belongs to one namespace, and may not name another with {NAME}"
    raise PermissionDenied(detail, [FieldError(_POINTER, "other-namespace", detail)])


def _text(shown: list[bytes]) -> str:
    try:
        (one,) = shown
        return one.decode()
    except ValueError:  # several of them, or no UTF-8
        detail = f"send one {NAME}, in UTF-8"
        raise InvalidFields(detail, [FieldError(_POINTER, "invalid-value", detail)]) from None

"""What each operation asks of its caller: the matrix of scopes.

Routes check it before they read a body. What depends on a task or on a handler is checked where
those are known, in the services; here it is said for the documentation, and tests compare the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from taskq_server.domain import scopes
from taskq_server.domain.caller import ALL_NAMESPACES, Caller
from taskq_server.domain.errors import (
    AUTHORIZATION,
    FieldError,
    InvalidFields,
    PermissionDenied,
)


class Foreign(Enum):
    """What is shown of tasks that other keys have submitted to a caller without `tasks:read`."""

    NOTHING = "they are answered with 404, as if they did not exist"
    OUTLINES = "they come without payload, result and errors"
    LEFT_OUT = "they are left out, and so are handlers that its globs do not match"


@dataclass(frozen=True, slots=True)
class Access:
    """What one operation asks of its caller.

    Attributes:
        any_of: the caller needs one of these scopes; empty if any key will do. `tasks:run:` stands
            for each scope that begins so.
        note: what else is asked, or shown.
        foreign: what is shown of foreign tasks without `tasks:read`; None where no task is.
        of_handlers: whether only the handlers that its globs match are shown without `tasks:read`.
        runs: whether the caller also needs `tasks:run:` for the handler of the task.
        needs_more: whether the caller needs another scope besides, which `note` names.
        is_open: whether it needs no key at all.
        of_operators: whether it is about all namespaces, so that a key has to be an operator's.
        in_namespace: whether it is about the tasks of one namespace, which an operator has to name.
    """

    any_of: tuple[str, ...] = ()
    note: str = ""
    foreign: Foreign | None = None
    of_handlers: bool = False
    runs: bool = False
    needs_more: bool = False
    is_open: bool = False
    of_operators: bool = False
    in_namespace: bool = True

    def check(self, caller: Caller) -> None:
        """Check that a caller may ask for this at all.

        Raises:
            PermissionDenied: the key has none of the scopes, or is no operator's.
            InvalidFields: an operator has not said for which namespace.
        """
        if self.any_of and not caller.may(*self.any_of) and not self._runs(caller):
            raise PermissionDenied.missing(*self.any_of)
        if self.of_operators and not caller.sees_all_namespaces:
            detail = "this is about all namespaces, so it needs an operator's key, which has none"
            raise PermissionDenied(detail, [FieldError(AUTHORIZATION, "operators-only", detail)])
        if self.in_namespace and caller.is_in(ALL_NAMESPACES):
            detail = "an operator's key belongs to no namespace: name one with Taskq-Namespace"
            where = FieldError("/header/taskq-namespace", "missing", detail)
            raise InvalidFields(detail, [where])

    def allows(self, caller: Caller) -> bool:
        """Return whether a caller may ask for this at all."""
        try:
            self.check(caller)
        except (PermissionDenied, InvalidFields):
            return False
        return True

    def _runs(self, caller: Caller) -> bool:
        return scopes.RUN in self.any_of and scopes.runs(caller.scopes)


_RUN = "`tasks:run:` for the handler of each task"
_OF_HANDLER = "`tasks:run:` for the handler of its task"
_GIVES = "no scope that the caller has not, unless it has an operator's key"

_OPEN = Access(is_open=True, in_namespace=False)
_ANY = Access(in_namespace=False)
_ADMIN = Access((scopes.ADMIN,), "an operator's key: of all namespaces", in_namespace=False)
_OWN = Access(foreign=Foreign.NOTHING)
_WRITE = Access((scopes.WRITE,), foreign=Foreign.OUTLINES)
_SET = Access((scopes.OPERATE,), _OF_HANDLER, needs_more=True)
_SUBMIT = Access((scopes.RUN,), f"{_RUN}; what is foreign is a replay", foreign=Foreign.OUTLINES)

ACCESS: Mapping[str, Access] = {
    "submit": _SUBMIT,
    "submit_many": _SUBMIT,
    "list": Access((scopes.READ,)),
    "get": _OWN,
    "events": _OWN,
    "attempts": _OWN,
    "wait": _OWN,
    "update": replace(_WRITE, note="`priority` and `run_at` need `tasks:run:` for its handler"),
    "delete": Access((scopes.WRITE,)),
    "cancel": _WRITE,
    "retry": replace(_WRITE, runs=True, note="`tasks:run:` for its handler"),
    "bulk": Access(
        (scopes.OPERATE,),
        "`tasks:run:` for the handlers of a retry or an update, which skips tasks of others; "
        "`tasks:write` for a cancel or a delete",
        needs_more=True,
    ),
    "bulk_operations": Access((scopes.READ,)),
    "get_bulk": Access((scopes.READ,)),
    "stop_bulk": Access((scopes.OPERATE,)),
    "tags": Access((scopes.READ,)),
    "handlers": Access(of_handlers=True),
    "stats": Access((scopes.READ, scopes.METRICS)),
    "stats_history": Access((scopes.READ, scopes.METRICS)),
    "stats_events": Access((scopes.READ,)),
    "failures": Access((scopes.READ,)),
    "metrics": Access((scopes.METRICS,), of_operators=True, in_namespace=False),
    "workers": Access(
        (scopes.READ, scopes.METRICS),
        "workers of its namespace; an operator's key: of all namespaces",
        foreign=Foreign.LEFT_OUT,
        in_namespace=False,
    ),
    "queues": Access((scopes.READ,)),
    "pause_queue": Access((scopes.OPERATE,)),
    "resume_queue": Access((scopes.OPERATE,)),
    "set_schedule": _SET,
    "update_schedule": _SET,
    "list_schedules": Access((scopes.READ,)),
    "preview_schedule": Access((scopes.READ,)),
    "get_schedule": Access((scopes.READ,)),
    "delete_schedule": Access((scopes.OPERATE,)),
    "pause_schedule": Access((scopes.OPERATE,)),
    "resume_schedule": Access((scopes.OPERATE,)),
    "fire_schedule": _SET,
    "create_key": Access((scopes.ADMIN,), _GIVES, in_namespace=False),
    "list_keys": _ADMIN,
    "get_key": _ADMIN,
    "rotate_key": Access((scopes.ADMIN,), f"of a key with {_GIVES}", in_namespace=False),
    "revoke_key": _ADMIN,
    "whoami": _ANY,
    "openapi": replace(_ANY, of_handlers=True, note="names the handlers"),
    "root": _ANY,
    "docs": _ANY,
    "redoc": _ANY,
    "/docs/assets": _ANY,
    "livez": _OPEN,
    "readyz": _OPEN,
}
"""By operation id; a route that the document leaves out has the name of its function, and a mount
its path."""

OF_PAGES: Mapping[str, Access] = {
    "asset": _OPEN,
    "language": _OPEN,
    "sign_in": _OPEN,
    "sign_out": _OPEN,
    "choose_namespace": replace(_ANY, of_operators=True),
}
"""The same of what only the dashboard has; its other routes are named as operations of the API."""


def of(operation_id: str) -> Access:
    """Return what an operation asks of its caller: any key, for one that an application adds."""
    return ACCESS.get(operation_id) or OF_PAGES.get(operation_id, _ANY)

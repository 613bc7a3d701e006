"""The caller of a service: every method of a caller's service takes it first.

A service keeps no namespace of its own, so that one process, one cache and one group commit serve
the callers of all namespaces.
"""

from dataclasses import dataclass
from uuid import UUID

ALL_SCOPES = frozenset(("*",))


@dataclass(frozen=True, slots=True)
class Caller:
    """The origin of a request: a program that uses the API, or a handler that submits a child.

    Attributes:
        namespace: all that the caller sees, stores and changes belongs to this namespace.
        scopes: what the caller may do; `*` stands for everything.
        key_id: the key that the caller has shown; None as long as there are no keys.
        name: for logs.
    """

    namespace: str
    scopes: frozenset[str] = ALL_SCOPES
    key_id: UUID | None = None
    name: str = "anonymous"

"""The caller of a service: every method of a caller's service takes it first.

A service keeps no namespace of its own, so that one process, one cache and one group commit serve
the callers of all namespaces.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from taskq_server.domain import scopes
from taskq_server.domain.errors import PermissionDenied
from taskq_server.domain.rate_limits import RateLimit

DEFAULT_NAMESPACE = "default"
"""The namespace that exists in every deployment."""

ALL_NAMESPACES = "*"
"""The namespace of an operator's key, which belongs to none."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The origin of a request: a program that uses the API, or a handler that submits a child.

    Attributes:
        namespace: all that the caller sees, stores and changes belongs to this namespace; `*` for
            an operator who has named none.
        scopes: what the caller may do; everything where no key is asked for.
        key_id: the key that the caller has shown, or the one that submitted its parent; None where
            no key is asked for.
        is_operator: whether the caller manages the keys of all namespaces.
        name: for logs.
        rate_limit: the key's own; None for the one of the settings.
    """

    namespace: str
    scopes: frozenset[str] = scopes.EVERYTHING
    key_id: str | None = None
    is_operator: bool = False
    name: str = "anonymous"
    rate_limit: RateLimit | None = None

    def is_in(self, namespace: str) -> bool:
        """Return whether a namespace is the caller's."""
        return self.namespace == namespace

    def may(self, *any_of: str) -> bool:
        """Return whether the caller has one of some scopes."""
        return not self.scopes.isdisjoint(any_of)

    def may_run(self, handler: str) -> bool:
        """Return whether the caller may submit to a handler."""
        return scopes.may_run(self.scopes, handler)

    def check_may_run(self, handlers: Mapping[str, str]) -> None:
        """Check that the caller may submit to all of some handlers.

        Args:
            handlers: the name of the handler by the pointer to what asks for it.

        Raises:
            PermissionDenied: with a pointer to each handler that the caller may not submit to,
                whether or not there is one.
        """
        if scopes.RUN_ALL in self.scopes:
            return
        foreign = {name for name in set(handlers.values()) if not self.may_run(name)}
        if foreign:
            raise PermissionDenied.to_run({at: of for at, of in handlers.items() if of in foreign})

    @property
    def sees_all_namespaces(self) -> bool:
        """Whether the caller may read numbers of everybody's tasks: no key, or an operator's."""
        return self.is_operator or self.key_id is None

    def sees_handler(self, name: str) -> bool:
        """Return whether the caller is told of a handler."""
        return self.may(scopes.READ) or self.may_run(name)

    def sees(self, submitted_by: str | None) -> bool:
        """Return whether the caller sees the tasks that a key has submitted."""
        return self.may(scopes.READ) or (self.key_id is not None and submitted_by == self.key_id)

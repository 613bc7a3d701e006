"""What the handlers of one worker declare: schedules, each in one of its namespaces."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from taskq_server.core.config import Settings
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.declarations import Declaration, Publisher
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.worker import serves
from taskq_server.handlers.registry import Registry


@dataclass(frozen=True, slots=True)
class Declared:
    """What the handlers of one worker declare: a namespace and a schedule, by handler."""

    by_handler: Mapping[str, tuple[str, Declaration]] = field(default_factory=dict)

    @property
    def row(self) -> str:
        """The JSON for the worker's row."""
        named = sorted(self.by_handler.items())
        return json.dumps({name: (where, one.digest) for name, (where, one) in named})

    def publisher(self, namespaces: Collection[str], handlers: Collection[str]) -> Publisher:
        """Return what the worker publishes."""
        declared = {name: (where, one.digest) for name, (where, one) in self.by_handler.items()}
        return Publisher(frozenset(namespaces), frozenset(handlers), declared)

    @property
    def texts(self) -> dict[str, str]:
        """The schedules to store, by digest."""
        return {one.digest: one.text for _, one in self.by_handler.values()}


def declared_by(registry: Registry, settings: Settings) -> Declared:
    """Return what the handlers of a worker declare.

    Args:
        registry: the handlers.
        settings: the namespaces that the worker serves.

    Raises:
        ConfigurationError: it is not known in which namespace a schedule belongs.
    """
    served = settings.served_namespaces
    found = {}
    for name, handler in sorted(registry.handlers.items()):
        if handler.schedule is not None:
            where = _namespace(name, handler.schedule.namespace, served)
            found[name] = where, handler.schedule.declaration
    return Declared(found)


def _namespace(handler: str, given: str | None, served: Sequence[str]) -> str:
    if given is None:
        if len(served) > 1 or ALL_NAMESPACES in served:
            raise ConfigurationError(
                f"handler {handler}: this worker serves {_listed(served)}, so its schedule has to "
                'say whose tasks it submits, as in @handler(…, schedule_namespace="…")'
            )
        return served[0]
    if not serves(frozenset(served), given):
        raise ConfigurationError(
            f"handler {handler}: its schedule is for namespace {given}, and this worker serves "
            f"{_listed(served)}"
        )
    return given


def _listed(served: Sequence[str]) -> str:
    if ALL_NAMESPACES in served:
        return "all namespaces"
    return f"namespace{'' if len(served) == 1 else 's'} {', '.join(served)}"

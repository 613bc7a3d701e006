"""The schedule that a handler declares: an expression in a time zone, or a period."""

from datetime import timedelta

from taskq_server.domain import times
from taskq_server.domain.declarations import Declaration, HandlerSchedule
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.naming import is_namespace

_UTC = "UTC"


def handler_schedule(
    what: str, schedule: object, timezone: object, namespace: object
) -> HandlerSchedule | None:
    """Return the schedule that a handler declares; None without one.

    Args:
        what: the handler, for the sentence of an error.
        schedule: an expression, a period, or None.
        timezone: the name of a zone, or None for UTC.
        namespace: of the tasks, or None for the one of the worker.

    Raises:
        ConfigurationError: there is no such schedule, zone or namespace.
    """
    if schedule is None:
        for name, given in (("timezone", timezone), ("schedule_namespace", namespace)):
            if given is not None:
                raise ConfigurationError(f"{what}: {name} says nothing without a schedule")
        return None
    if namespace is not None and not (isinstance(namespace, str) and is_namespace(namespace)):
        raise ConfigurationError(
            f"{what}: {namespace!r:.80} cannot be a namespace: schedule_namespace names one"
        )
    return HandlerSchedule(_declaration(what, schedule, timezone), namespace)


def _declaration(what: str, schedule: object, timezone: object) -> Declaration:
    if isinstance(schedule, timedelta):
        if timezone is not None:
            raise ConfigurationError(
                f"{what}: timezone is for expressions; a period is the same in every zone"
            )
        return _checked(what, Declaration(None, schedule.total_seconds(), _UTC))
    if not isinstance(schedule, str):
        raise ConfigurationError(
            f"{what}: schedule takes a cron expression or a timedelta, not {schedule!r:.80}"
        )
    if not isinstance(timezone, str | None):
        raise ConfigurationError(
            f'{what}: timezone takes a name such as "Europe/Berlin", not {timezone!r:.80}'
        )
    return _checked(what, Declaration(schedule, None, _UTC if timezone is None else timezone))


def _checked(what: str, declared: Declaration) -> Declaration:
    given = declared.cron if declared.every_seconds is None else str(declared)
    for error in times.check(declared.cron, declared.every_seconds, declared.timezone):
        name, value = "schedule", given
        if error.pointer == "/timezone":
            name, value = "timezone", declared.timezone
        raise ConfigurationError(f"{what}: {name} {value!r:.80}: {error.detail}")
    return declared

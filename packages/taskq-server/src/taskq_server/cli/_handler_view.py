"""Handlers as people and programs read them."""

import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import partial
from typing import Any

import click
from pydantic.fields import FieldInfo

from taskq_server.core.config import Settings
from taskq_server.core.log_text import escaped_text
from taskq_server.domain.declarations import HandlerSchedule
from taskq_server.domain.requests import SAYS_NOTHING, TaskDefaults
from taskq_server.handlers.declare import qualified_name
from taskq_server.handlers.registry import Handler

_WIDEST = 100
_LONGEST_DEFAULT = 60
_PREFIX = "payload_"
_DOTTED = re.compile(r"\b(?:\w+\.)+(?=\w)")


def listed(handlers: Sequence[Handler], columns: int) -> str:
    """Return one line for each handler: its name and the first line of its description."""
    width = min(columns, _WIDEST)
    label = max(len(each.name) for each in handlers)
    lines = [_row(each, label, width) for each in handlers]
    count = f"{len(handlers)} handler{'' if len(handlers) == 1 else 's'}"
    return "\n".join([*lines, "", *_wrapped(f"{count}; add a NAME to see one whole", width)])


def one(handler: Handler, settings: Settings, columns: int) -> str:
    """Return all that is known of a handler."""
    width = min(columns, _WIDEST)
    facts = dict(_facts(handler, settings))
    label = max(map(len, facts))
    lines = [click.style(handler.name, bold=True)]
    for line in handler.description.splitlines():
        lines += _wrapped(escaped_text(line), width) or [""]
    lines.append("")
    for name, values in facts.items():
        for number, value in enumerate(values):
            head = "" if number else name
            lines += _wrapped(escaped_text(value), width, f"  {head:<{label}}  ", " " * (label + 4))
    return "\n".join(lines)


def as_json(handler: Handler, settings: Settings) -> dict[str, Any]:
    """Return all that is known of a handler for programs."""
    file, line = _place(handler)
    return {
        "name": handler.name,
        "description": handler.description,
        "parameters": [_as_json(name, field) for name, field in _parameters(handler)],
        "schema": json.loads(handler.schema),
        "runs_in": handler.place.name.lower(),
        "max_retries": _or(handler.max_retries, settings.max_retries),
        "timeout_seconds": _or(handler.timeout, settings.timeout_seconds),
        "queue": handler.defaults.queue,
        "priority": handler.defaults.priority.label,
        "tags": list(handler.defaults.tags),
        "unique_key": handler.defaults.unique_key,
        "schedule": _schedule_as_json(handler.schedule),
        "backoff_base_seconds": handler.backoff.base,
        "backoff_cap_seconds": handler.backoff.cap,
        "retry_on": [each.__qualname__ for each in handler.retry_on],
        "function": _name(handler),
        "file": file,
        "line": line,
    }


def _schedule_as_json(schedule: HandlerSchedule | None) -> dict[str, str | float | None] | None:
    if schedule is None:
        return None
    declared = schedule.declaration
    return {
        "cron": declared.cron,
        "every_seconds": declared.every_seconds,
        "timezone": declared.timezone,
        "namespace": schedule.namespace,
    }


def _facts(handler: Handler, settings: Settings) -> Iterator[tuple[str, list[str]]]:
    parameters = [_shown(name, field) for name, field in _parameters(handler)]
    if handler.signature.open:
        parameters.append("and any other key" if parameters else "any key")
    yield "payload", parameters or ["nothing"]
    yield "runs", [handler.place.value]
    yield "retries", [_default(handler.max_retries, settings.max_retries)]
    yield "timeout", [_default(handler.timeout, settings.timeout_seconds, " s")]
    yield "back-off", [f"{handler.backoff.base:g} s, doubled up to {handler.backoff.cap:g} s"]
    yield "retries on", [", ".join(each.__qualname__ for each in handler.retry_on) or "nothing"]
    if handler.defaults != SAYS_NOTHING:
        yield "tasks", [", ".join(_of_tasks(handler.defaults))]
    if handler.schedule is not None:
        yield "schedule", [_of_schedule(handler.schedule)]
    file, line = _place(handler)
    yield "defined", [_name(handler), f"{file}:{line}" if line else file]


def _of_tasks(defaults: TaskDefaults) -> Iterator[str]:
    yield f"queue {defaults.queue}"
    yield f"priority {defaults.priority.label}"
    if defaults.tags:
        yield f"tags {', '.join(defaults.tags)}"
    if defaults.unique_key is not None:
        yield f"one task at a time for each {defaults.unique_key or 'payload'}"


def _of_schedule(schedule: HandlerSchedule) -> str:
    where = "" if schedule.namespace is None else f", of namespace {schedule.namespace}"
    return f"{schedule.declaration}{where}"


def _row(handler: Handler, label: int, width: int) -> str:
    about = escaped_text(handler.description.partition("\n")[0])
    room = width - label - 2
    if len(about) > room:
        about = f"{about[: room - 1].rstrip()}…" if room > 10 else ""
    gap = " " * (label - len(handler.name) + 2)
    return f"{click.style(handler.name, bold=True)}{gap}{about}".rstrip()


def _wrapped(text: str, width: int, first: str = "", other: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=other,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _parameters(handler: Handler) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in handler.signature.model.model_fields.items():
        key = field.validation_alias or field.alias
        yield key if isinstance(key, str) else name.removeprefix(_PREFIX), field


def _shown(name: str, field: FieldInfo) -> str:
    kind = _kind(field)
    if field.is_required():
        return f"{name}: {kind}"
    if field.default_factory is not None:
        return f"{name}: {kind} = (made anew)"
    default = repr(field.default.value if isinstance(field.default, Enum) else field.default)
    if len(default) > _LONGEST_DEFAULT:
        default = f"{default[: _LONGEST_DEFAULT - 1]}…"
    return f"{name}: {kind} = {default}"


def _kind(field: FieldInfo) -> str:
    """Return a type as it is written where its names are imported."""
    return _DOTTED.sub("", inspect.formatannotation(field.annotation))


def _as_json(name: str, field: FieldInfo) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name,
        "type": _kind(field),
        "required": field.is_required(),
    }
    if not field.is_required() and field.default_factory is None:
        found["default"] = field.default
    return found


def _default(own: float | None, servers: float, unit: str = "") -> str:
    return f"{servers:g}{unit} (the server's default)" if own is None else f"{own:g}{unit}"


def _or(own: float | None, servers: float) -> float:
    return servers if own is None else own


def _inner(handler: Handler) -> object:
    function: Any = inspect.unwrap(handler.function)
    while isinstance(function, partial):
        function = inspect.unwrap(function.func)
    return function if inspect.isroutine(function) else type(function)


def _name(handler: Handler) -> str:
    function = _inner(handler)
    return f"{getattr(function, '__module__', '?')}.{qualified_name(function)}"


def _place(handler: Handler) -> tuple[str, int | None]:
    function: Any = _inner(handler)
    code = getattr(function, "__code__", None)
    if code is not None:
        return code.co_filename, code.co_firstlineno
    try:
        return inspect.getfile(function), None
    except (TypeError, OSError):
        return "no file", None

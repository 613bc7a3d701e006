"""Published handlers and who uses them, as people and programs read them."""

from collections.abc import Sequence

import click

from taskq_server.core.log_text import escaped_text
from taskq_server.schemas.wire import moment
from taskq_server.services.handler_use import HandlerUse

_HEAD = ("handler", "namespace", "last seen", "workers", "kept for")
_SHORTEST_NAME = 10


def listed(found: Sequence[HandlerUse], columns: int) -> str:
    """Return one line for each handler, and one about their number."""
    rows = [_HEAD, *map(_row, found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    # Names are what gives way, because the reasons are what is asked for.
    fixed = sum(widths[2:]) + 2 * (len(_HEAD) - 1)
    widths[1] = min(widths[1], max(_SHORTEST_NAME, (columns - fixed) // 3))
    widths[0] = min(widths[0], max(_SHORTEST_NAME, columns - fixed - widths[1]))
    lines = ["  ".join(map(_cell, row, widths)).rstrip() for row in rows]
    lines[0] = click.style(lines[0], bold=True)
    free = sum(not each.kept_for for each in found)
    about = f"{_handlers(len(found))}, {free} of them may be removed"
    return "\n".join([*lines, "", about])


def removed(each: HandlerUse) -> str:
    """Return the line about a handler that is, or would be, removed."""
    name, namespace = escaped_text(each.name), escaped_text(each.namespace)
    return f"{name} of namespace {namespace}, last seen {each.seen_at:%Y-%m-%d}"


def as_json(each: HandlerUse) -> dict[str, str | int | bool | None]:
    """Return a handler for programs."""
    return {
        "namespace": each.namespace,
        "name": each.name,
        "seen_at": moment(each.seen_at),
        "workers": each.workers,
        "prunable": not each.kept_for,
        "kept_for": each.kept_for or None,
    }


def question(amount: int) -> str:
    """Return the question before handlers are removed."""
    return f"Remove {_handlers(amount)}?"


def _handlers(amount: int) -> str:
    return f"{amount:,} handler{'' if amount == 1 else 's'}"


def _row(each: HandlerUse) -> tuple[str, ...]:
    return (
        escaped_text(each.name),
        escaped_text(each.namespace),
        f"{each.seen_at:%Y-%m-%d}",
        f"{each.workers:,}",
        each.kept_for or "nothing",
    )


def _cell(text: str, width: int) -> str:
    return f"{text if len(text) <= width else f'{text[: width - 1]}…':<{width}}"

"""Bulk operations for a terminal, at any width."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.text import Text

from taskq_client.bulk import BulkCount, BulkOperation
from taskq_client.cli.lines import hanging, join, pad, widest
from taskq_client.cli.words import ago, plain, when
from taskq_client.models import TaskStatus

_STYLES = {"running": "blue", "succeeded": "green", "stopped": "yellow"}


def operation_lines(operations: Sequence[BulkOperation], width: int, now: datetime) -> Text:
    """Write a paragraph for each operation: what it does, how far it is, and which tasks.

    Args:
        operations: The operations.
        width: The width of the terminal.
        now: The time from which ages count.
    """
    if not operations:
        return Text("no bulk operations", "dim")
    return join(line for each in operations for line in _paragraph(each, width, now))


def operation_view(operation: BulkOperation, width: int, now: datetime) -> Text:
    """Write all that is known of an operation, a line for each fact."""
    title = Text().append(f"{plain(operation.action)} ", "bold").append_text(_state(operation))
    ended = operation.finished_at
    facts = [
        ("id", plain(operation.id)),
        ("filter", _values(operation.filter)),
        ("changes", _values(operation.changes or {})),
        ("tasks", numbers(operation)),
        ("limit", f"{operation.limit:,}"),
        ("key", plain(operation.key_id)),
        ("began", when(operation.created_at, now)),
        ("ended", when(ended, now) if ended else ""),
    ]
    labels = widest(name for name, value in facts if value)
    lines = hanging(title, width, rest="  ")
    for name, value in facts:
        first = f"  {pad(name, labels)}  "
        lines += hanging(value, width, first=first, rest=" " * len(first)) if value else []
    return join(lines)


def question(action: str, count: BulkCount, most: int) -> str:
    """Ask whether an operation is meant, and say what it would find."""
    more = "" if count.exact else "more than "
    statuses = ", ".join(
        f"{number:,} {plain(status)}"
        for status in TaskStatus
        if (number := count.by_status.get(status, 0))
    )
    of = f" ({statuses})" if statuses else ""
    capped = f", {most:,} of them at most" if count.count > most else ""
    return f"{action} {more}{count.count:,} task{'' if count.count == 1 else 's'}{of}{capped}?"


def numbers(operation: BulkOperation) -> str:
    """Write how many tasks an operation has come through."""
    parts = [f"{operation.done:,} done", f"{operation.skipped:,} skipped"]
    if operation.failed:
        parts.append(f"{operation.failed:,} failed, because as many tasks wait as may")
    return ", ".join(parts)


def _paragraph(operation: BulkOperation, width: int, now: datetime) -> list[Text]:
    head = Text().append(f"{plain(operation.action)} ", "bold").append_text(_state(operation))
    head.append(f"  {numbers(operation)}").append(f"  {ago(operation.created_at, now)}", "dim")
    return [
        *hanging(head, width, rest="  "),
        Text(f"  {plain(operation.id)}"),
        *hanging(Text(_values(operation.filter), "dim"), width, first="  ", rest="    "),
    ]


def _state(operation: BulkOperation) -> Text:
    return Text(plain(operation.state), _STYLES.get(operation.state, ""))


def _values(given: Mapping[str, object]) -> str:
    return " ".join(f"{plain(name)}={plain(_value(value))}" for name, value in given.items())


def _value(value: object) -> object:
    if isinstance(value, list):
        return ",".join(each if isinstance(each, str) else json.dumps(each) for each in value)
    return value

"""Groups of failures for a terminal, at any width."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from taskq_client.cli.lines import hanging, join
from taskq_client.cli.words import ago, plain
from taskq_client.history import FailureGroup, Failures


def failure_lines(found: Failures, width: int, now: datetime) -> Text:
    """Write a paragraph for each group of failures: numbers, handler, error and an example.

    Args:
        found: The groups.
        width: The width of the terminal.
        now: The time from which ages count.
    """
    if not found.items:
        return Text("nothing has failed", "dim")
    lines = [line for group in found.items for line in _paragraph(group, width, now)]
    if not found.exact:
        lines += hanging(Text("There are more than are shown.", "yellow"), width)
    return join(lines)


def _paragraph(group: FailureGroup, width: int, now: datetime) -> Sequence[Text]:
    head = Text().append(plain(group.handler), "bold")
    head.append(f"  {group.failed:,} failed" if group.failed else "", "red")
    head.append(f"  {group.retrying:,} retrying" if group.retrying else "", "yellow")
    head.append(f"  {ago(group.last_at, now)}", "dim")
    error = f"{plain(group.type)}: {plain(group.message)}".removesuffix(": ")
    example = Text(f"  taskq get {plain(group.example)}", "dim")
    return [head, *hanging(Text(error), width, first="  ", rest="    "), example]

"""Queues for a terminal."""

from collections.abc import Sequence

from rich.text import Text

from taskq_client.cli.lines import columns, hanging, join, widest
from taskq_client.cli.words import duration, plain
from taskq_client.queues import Queue

_HEADER = ("queue", "", "waiting", "running", "oldest due", "/min", "workers")
_STYLES = ("", "yellow", "", "", "", "", "")


def queue_lines(queues: Sequence[Queue], width: int) -> Text:
    """Write a line for each queue, or a paragraph if lines do not fit; then why some are paused.

    Args:
        queues: The queues, in their order.
        width: The width of the terminal.
    """
    if not queues:
        return Text("no queues", "dim")
    lines = columns([_HEADER, *map(_cells, queues)], _STYLES, right=range(2, len(_HEADER)))
    if widest(line.plain for line in lines) > width:
        lines = [line for queue in queues for line in _paragraph(queue, width)]
    for queue in queues:
        if queue.note:
            said = Text(f"{plain(queue.name)}: ").append(plain(queue.note), "dim")
            lines += hanging(said, width, rest="  ")
    return join(lines)


def sentence(queue: Queue) -> str:
    """Write what a pause or a resume has led to."""
    wait, run = f"{queue.depth:,} waiting", f"{queue.running:,} running"
    if queue.paused:
        return f"Queue {queue.name} is paused: {wait}, {run} to their end."
    return f"Queue {queue.name} goes on: {wait}, {run}, live workers: {queue.workers:,}."


def _cells(queue: Queue) -> tuple[str, ...]:
    due, moved = queue.oldest_age_seconds, queue.throughput_per_minute
    return (
        plain(queue.name),
        "paused" if queue.paused else "",
        f"{queue.depth:,}",
        f"{queue.running:,}",
        "" if due is None else duration(due),
        f"{moved:,.0f}" if moved >= 9.5 else f"{moved:.2g}" if moved else "",
        f"{queue.workers:,}",
    )


def _paragraph(queue: Queue, width: int) -> list[Text]:
    cells = zip(_HEADER[2:], _cells(queue)[2:], strict=True)
    facts = ", ".join(f"{name} {cell}" for name, cell in cells if cell)
    state = "paused, " if queue.paused else ""
    title = Text(plain(queue.name), "bold")
    return [title, *hanging(f"{state}{facts}", width, first="  ", rest="  ")]

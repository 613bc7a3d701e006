"""Workers for a terminal: where each one is, what it can run, and what it runs now."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.text import Text

from taskq_client.cli.lines import hanging, join, pad, widest
from taskq_client.cli.words import ago, duration, plain, when
from taskq_client.models import RunningTask, Worker


def worker_lines(workers: Sequence[Worker], width: int, now: datetime) -> Text:
    """Write a paragraph for each worker.

    Args:
        workers: The workers, in their order.
        width: The width of the terminal.
        now: The time from which ages count.
    """
    lines: list[Text] = []
    for worker in workers:
        lines += [*_paragraph(worker, width, now), Text()]
    return join(lines[:-1]) if lines else Text("no live workers", "bold red")


def _paragraph(worker: Worker, width: int, now: datetime) -> Iterator[Text]:
    title = Text().append(plain(worker.name), "bold")
    title.append(f" runs {worker.running_count:,} of {worker.concurrency:,}, ")
    if worker.quarantine_in_use:
        title.append(f"{worker.quarantine_in_use:,} in quarantine", "yellow").append(", ")
    yield from hanging(title.append(f"seen {ago(worker.heartbeat_at, now)}"), width, rest="  ")
    facts = [(name, value) for name, value in _facts(worker, now) if value]
    labels = widest(name for name, _ in facts)
    shown = ""
    for name, value in facts:
        first = f"  {pad('' if name == shown else name, labels)}  "
        yield from hanging(value, width, first=first, rest=" " * len(first))
        shown = name


def _facts(worker: Worker, now: datetime) -> Iterator[tuple[str, str]]:
    yield "id", plain(worker.id)
    yield "started", when(worker.started_at, now)
    yield "version", plain(worker.version)
    yield "namespaces", ", ".join(map(plain, worker.namespaces))
    yield "queues", ", ".join(map(plain, worker.queues))
    yield "handlers", ", ".join(map(plain, worker.handlers)) or "none"
    for task in worker.running:
        yield "running", _running(task, now)
    if more := worker.running_count - len(worker.running):
        yield "running", f"and {more:,} more"


def _running(task: RunningTask, now: datetime) -> str:
    passed = duration(max((now - task.started_at).total_seconds(), 0.0))
    quarantined = ", in quarantine" if task.quarantined else ""
    return f"{plain(task.id)} {plain(task.handler)} for {passed}{quarantined}"

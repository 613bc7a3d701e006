"""One task for a terminal, as a person reads it: what, status, when, and how its attempts ended."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from taskq_client.cli.lines import cut, hanging, join, pad, state, widest
from taskq_client.cli.tracebacks import traceback_lines
from taskq_client.cli.words import STYLES, ago, duration, plain, plain_lines, sign, when
from taskq_client.models import Attempt, Priority, Progress, Task

MOST_BLOCKS = 5


def task_view(task: Task, width: int, now: datetime) -> Text:
    """Write what a person wants to know of a task; what is empty is left out.

    Args:
        task: The task.
        width: The width of the terminal.
        now: The time from which ages count.
    """
    title = state(task.status).append(f"  {plain(task.handler)}", "bold")
    if task.title != task.handler:
        title.append(f"  {plain(task.title)}")
    facts = [(name, value) for name, value in _facts(task, now) if value]
    labels = widest(name for name, _ in facts)
    lines = hanging(title, width, rest="  ")
    for name, value in facts:
        first = f"  {pad(name, labels)}  "
        lines += hanging(value, width, first=first, rest=" " * len(first))
    for name, content in (("payload", task.payload or None), ("result", task.result)):
        if content is not None:
            lines += _json_lines(f"  {pad(name, labels)}  ", content, width)
    if earlier := task.errors[:-MOST_BLOCKS]:
        more = f"{len(earlier)} earlier attempts: taskq attempts {plain(task.id)}"
        lines += [Text(), *hanging(more, width, rest="  ")]
    for error in task.errors[-MOST_BLOCKS:]:
        lines += [Text(), *_block(error, width, now, whole=error is task.errors[-1])]
    return join(lines)


def attempts_view(attempts: Sequence[Attempt], width: int, now: datetime) -> Text:
    """Write a block for each ended attempt, each with its traceback."""
    lines = [line for each in attempts for line in [*_block(each, width, now, whole=True), Text()]]
    return join(lines[:-1]) if lines else Text("no attempt has ended yet", "dim")


def state_line(task: Task, width: int) -> Text:
    """Write one line on the state of a task, as `events` shows it."""
    line = Text().append(f"{task.updated_at.astimezone(UTC):%H:%M:%S}Z  ", "dim")
    line.append_text(state(task.status))
    line.append(f"  attempt {task.attempt}" if task.attempt else "")
    progress = f"  {_progress(task.progress)}" if task.progress else ""
    return line.append(cut(progress, max(width - cell_len(line.plain), 0)))


def _facts(task: Task, now: datetime) -> Iterator[tuple[str, str]]:
    yield "id", plain(task.id)
    yield "description", plain(" ".join((task.description or "").split()))
    yield "created", when(task.created_at, now)
    if task.run_at is not None and task.started_at is None:
        yield "due", when(task.run_at, now)
    elif task.run_at is not None and task.status == "retrying":
        yield "next try", when(task.run_at, now)
    if task.started_at is not None:
        yield "started", when(task.started_at, now)
    if task.finished_at is not None:
        taken = _taken(task.started_at, task.finished_at)
        yield "ended", when(task.finished_at, now) + (f", took {taken}" if taken else "")
    if task.cancel_requested_at is not None and not task.final:
        yield "cancel", f"asked for at {when(task.cancel_requested_at, now)}"
    yield "progress", _progress(task.progress) if task.progress else ""
    if task.attempt > 1 or task.current_retry_count:
        retries = f"{task.current_retry_count} of {task.max_retries} retries used"
        yield "attempt", f"{task.attempt}, {retries}"
    yield "priority", "" if task.priority == Priority.NORMAL else plain(task.priority)
    yield "tags", ", ".join(map(plain, task.tags))
    yield "queue", plain(task.queue)
    yield "unique key", plain(task.unique_key)
    yield "timeout", duration(task.timeout_seconds)
    yield "worker", plain(task.worker_id)


def _progress(progress: Progress) -> str:
    done = f"{progress.current:g}" + ("" if progress.total is None else f"/{progress.total:g}")
    part = f" ({progress.current / progress.total:.0%})" if progress.total else ""
    return f"{done}{part} {plain(progress.message or '')}".rstrip()


def _taken(start: datetime | None, end: datetime | None) -> str:
    if start is None or end is None:
        return ""
    return duration(max(end - start, timedelta()).total_seconds())


def _json_lines(first: str, value: Any, width: int) -> Iterator[Text]:
    text = json.dumps(value, ensure_ascii=False)
    if cell_len(first) + cell_len(text) > width:
        text = json.dumps(value, ensure_ascii=False, indent=2)
    indent = " " * len(first)
    for number, line in enumerate(text.split("\n")):
        inner = line[: len(line) - len(line.lstrip())]
        rest = f"{indent}{inner}  "
        start = f"{indent if number else first}{inner}"
        yield from hanging(plain(line.lstrip()), width, first=start, rest=rest)


def _block(attempt: Attempt, width: int, now: datetime, *, whole: bool) -> Iterator[Text]:
    outcome = plain(attempt.outcome).replace("_", " ")
    heading = f"{sign(attempt.outcome)} attempt {attempt.attempt} {outcome}"
    words = Text().append(heading, f"bold {STYLES.get(attempt.outcome, '')}".strip())
    if attempt.finished_at is not None:
        words.append(f" {ago(attempt.finished_at, now)}")
    taken = _taken(attempt.started_at, attempt.finished_at)
    words.append(f", after {taken}" if taken else "")
    words.append(f", on {plain(attempt.worker_name)}" if attempt.worker_name else "")
    yield from hanging(words, width, rest="  ")
    if whole and attempt.traceback:
        yield from traceback_lines(attempt.traceback, width)
        return
    reason = ": ".join(filter(None, (attempt.type, attempt.message)))
    for line in plain_lines(reason) if reason else ():
        yield from hanging(line, width, first="  ", rest="    ")

"""Lists for a terminal: tasks, queues, handlers, tags and scopes, at any width."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.text import Text

from taskq_client.cli.lines import GAP, columns, cut, hanging, join, pad, state, widest
from taskq_client.cli.schemas import parameters_of
from taskq_client.cli.words import STYLES, age, duration, first_paragraph, plain, sign, when
from taskq_client.models import Caller, Handler, QueueStats, Stats, Tag, Task, TaskStatus

LEAST_HANDLER, LEAST_TITLE = 16, 8


def task_lines(tasks: Sequence[Task], width: int, now: datetime) -> Text:
    """Write one line for each task.

    Ids and ages are always whole. Where the width is too small, titles are cut and then left out,
    then the words of statuses are left out, whose signs stay, and then handlers are cut.

    Args:
        tasks: The tasks, in their order.
        width: The width of the terminal.
        now: The time from which ages count.
    """
    if not tasks:
        return Text("no tasks", "dim")
    rows = [("id", "status", "age", "handler", "title")]
    for task in tasks:
        title = "" if task.title == task.handler else plain(task.title)
        passed = age(task.created_at, now)
        rows.append((plain(task.id), plain(task.status), passed, plain(task.handler), title))
    ids, statuses, ages, handlers, titles = (widest(cells) for cells in zip(*rows, strict=True))
    left = width - (2 + ids + GAP + ages + GAP)
    with_status = left - (statuses + GAP) >= min(handlers, LEAST_HANDLER)
    left -= statuses + GAP if with_status else 0
    handlers = min(handlers, max(left, 1))
    room = left - handlers - GAP
    with_title = any(row[-1] for row in rows[1:]) and room >= min(titles, LEAST_TITLE)
    lines = []
    for number, (id_, status, passed, handler, title) in enumerate(rows):
        style = STYLES.get(status, "") if number else "bold"
        line = Text().append(f"{sign(status) if number else ' '} ", style)
        line.append(pad(status, statuses) + " " * GAP if with_status else "", style)
        rest = "" if number else "bold"
        line.append(pad(id_, ids), rest).append(" " * GAP + pad(passed, ages, right=True), rest)
        line.append(" " * GAP + pad(cut(handler, handlers), handlers), rest)
        if with_title:
            line.append(" " * GAP + cut(title, room), rest or "dim")
        lines.append(line)
    return join(lines)


def task_line(task: Task, width: int) -> Text:
    """Write one line on one task: its status and id, and what else there is room for."""
    asked = task.cancel_requested_at is not None and not task.final
    line = state(task.status).append(f"{', cancelling' if asked else ''} {plain(task.id)}")
    for more in (task.handler, task.title if task.title != task.handler else ""):
        text = f" {plain(more)}"
        if more and cell_len(line.plain) + cell_len(text) <= width:
            line.append(text)
    return line


def stats_lines(stats: Stats, width: int) -> Text:
    """Write a line for each queue, or a paragraph if lines do not fit, and a sentence on all."""
    used = [status for status in TaskStatus if any(q.tasks.get(status) for q in stats.queues)]
    facts = (_due, _throughput, _run_time)
    header = ["queue", "oldest due", "/min", "run", *used]
    rows = [
        [plain(queue.name), *(fact(queue) for fact in facts), *_numbers(queue, used)]
        for queue in stats.queues
    ]
    for place in range(1, 1 + len(facts)):
        if not any(row[place] for row in rows):
            header[place] = ""
    styles = ["", *("" for _ in facts), *(STYLES[status] for status in used)]
    lines = columns([header, *rows], styles, right=range(1, len(header))) if rows else []
    if widest(line.plain for line in lines) > width:
        lines = [line for queue in stats.queues for line in _paragraph(queue, width)]
    counts = _counts(stats.tasks) or Text("no tasks")
    words = Text("In all: ").append_text(counts).append(". Live workers: ")
    words.append(f"{stats.workers}.", "" if stats.workers else "bold red")
    return join([*lines, *hanging(words, width)])


def handler_lines(handlers: Iterable[Handler], width: int) -> Text:
    """Write a paragraph for each handler: name, live workers, description and parameters."""
    lines: list[Text] = []
    for handler in handlers:
        count = f"{handler.workers or 'no'} live worker{'s' if handler.workers != 1 else ''}"
        name = Text().append(plain(handler.name), "bold")
        lines.append(name.append(f"  {count}", "dim" if handler.workers else "red"))
        if described := first_paragraph(handler.description):
            lines += hanging(described, width, first="  ", rest="  ")
        if parameters := ", ".join(map(plain, parameters_of(handler))):
            lines += hanging(Text(parameters, "cyan"), width, first="  ", rest="    ")
        if handler.unique_key is not None:
            unique = f"one task at a time for each {plain(handler.unique_key) or 'payload'}"
            lines += hanging(unique, width, first="  ", rest="  ")
    return join(lines) if lines else Text("no handlers; start a worker", "dim")


def tag_lines(tags: Sequence[Tag]) -> Text:
    """Write a line for each tag, behind the number of its tasks."""
    rows = [("tasks", "tag"), *((f"{tag.count:,}", plain(tag.name)) for tag in tags)]
    return join(columns(rows, ("", ""), right={0})) if tags else Text("no tags", "dim")


def caller_lines(caller: Caller, width: int, now: datetime) -> Text:
    """Write who asks, and what that caller may do; what is empty is left out."""
    title = Text().append("no key is asked for" if caller.id is None else "key ", "bold")
    title.append(plain(caller.id), "bold").append(f"  {plain(caller.name)}" if caller.name else "")
    facts = [
        ("namespace", plain(caller.namespace)),
        ("may", ", ".join(map(plain, caller.scopes))),
        ("limit", plain(caller.rate_limit)),
        ("created", when(caller.created_at, now) if caller.created_at else ""),
        ("expires", when(caller.expires_at, now) if caller.expires_at else ""),
        ("used", when(caller.last_used_at, now) if caller.last_used_at else ""),
    ]
    labels = widest(name for name, value in facts if value)
    lines = hanging(title, width, rest="  ")
    for name, value in facts:
        first = f"  {pad(name, labels)}  "
        lines += hanging(value, width, first=first, rest=" " * len(first)) if value else []
    return join(lines)


def _numbers(queue: QueueStats, used: Iterable[TaskStatus]) -> Iterator[str]:
    for status in used:
        number = queue.tasks.get(status)
        yield f"{number:,}" if number else ""


def _due(queue: QueueStats) -> str:
    return "" if queue.oldest_age_seconds is None else duration(queue.oldest_age_seconds)


def _throughput(queue: QueueStats) -> str:
    moved = queue.throughput_per_minute
    return f"{moved:,.0f}" if moved >= 9.5 else f"{moved:.2g}" if moved else ""


def _run_time(queue: QueueStats) -> str:
    return "" if queue.run_seconds_mean is None else duration(queue.run_seconds_mean)


def _counts(tasks: Mapping[TaskStatus | str, int]) -> Text:
    found = [(status, tasks.get(status)) for status in TaskStatus]
    words = (Text().append(f"{n:,} {status}", STYLES[status]) for status, n in found if n)
    return Text(", ").join(words)


def _paragraph(queue: QueueStats, width: int) -> Iterator[Text]:
    yield Text(plain(queue.name), "bold")
    due = _due(queue)
    words = _counts(queue.tasks).append(f", oldest due {due}" if due else "")
    moved, run = _throughput(queue), _run_time(queue)
    words.append(f", {moved} a minute" if moved else "").append(f", run {run}" if run else "")
    yield from hanging(words, width, first="  ", rest="  ")

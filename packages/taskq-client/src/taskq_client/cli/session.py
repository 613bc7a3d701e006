"""The session of a command: the server, and how tasks are shown."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from taskq_client._sync import TaskqClient
from taskq_client._sync_handles import TaskHandle
from taskq_client.models import Progress, Task, TaskStatus

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("id", "status", "priority", "handler", "created_at", "title")
NARROW_COLUMNS = ("id", "status", "age", "handler", "title")
UNBROKEN = frozenset({"id", "status", "age", "workers", "tasks", "depth", "oldest", *TaskStatus})
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class Session:
    """One call of the command.

    Attributes:
        url: The server, or None for the default.
        as_json: Show JSON, whatever stdout is.
        terminal: Show a table for people; else text that scripts can split at tabs.
    """

    url: str | None
    as_json: bool
    terminal: bool

    def client(self) -> TaskqClient:
        """Make a client for the server."""
        return TaskqClient(self.url)

    def show_submitted(self, task: Task) -> None:
        """Show a task after its submit; in a pipe only the id."""
        if self.as_json or self.terminal:
            self.show(task)
        else:
            click.echo(task.id)

    def show(self, task: Task) -> None:
        """Show all fields of a task."""
        fields = fields_of(task)
        if self.as_json:
            click.echo(json.dumps(fields))
        elif self.terminal:
            _print(_table(["field", "value"], [[name, plain(fields[name])] for name in fields]))
        else:
            for name, value in fields.items():
                click.echo(f"{name}\t{plain(value)}")

    def show_state(self, task: Task) -> None:
        """Show the state of a task in one line."""
        progress = "" if task.progress is None else _shown(task.progress)
        click.echo(f"{task.version}\t{plain(task.status)}\t{task.attempt}\t{plain(progress)}")

    def show_result(self, result: Any) -> None:
        """Show a result as JSON, over several lines on a terminal."""
        click.echo(json.dumps(result, indent=2 if self.terminal and not self.as_json else None))

    def show_all(self, tasks: Iterable[Task]) -> None:
        """Show one line for each task, or a JSON array."""
        if self.as_json:
            click.echo(json.dumps([fields_of(task) for task in tasks]))
        elif self.terminal:
            _print(_tasks_table(tasks))
        else:
            for task in tasks:
                click.echo("\t".join(_row(fields_of(task))))

    def show_rows(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        objects: object = (),
    ) -> None:
        """Show rows as a table or with tabs between the cells; as JSON, the objects."""
        if self.as_json:
            click.echo(json.dumps(objects))
        elif self.terminal:
            _print(_table(columns, rows))
        else:
            for row in rows:
                click.echo("\t".join(map(plain, row)))

    @contextmanager
    def watching(self) -> Iterator[Callable[[list[Task]], None]]:
        """Show a list repeatedly: in place on a terminal, else only the changes."""
        if self.terminal and not self.as_json:
            from rich.live import Live

            with Live(auto_refresh=False) as live:
                yield lambda tasks: live.update(_tasks_table(tasks), refresh=True)
            return
        seen: dict[str, int] = {}

        def show(tasks: list[Task]) -> None:
            for task in reversed(tasks):
                if seen.get(task.id) != task.version:
                    fields = fields_of(task)
                    click.echo(json.dumps(fields) if self.as_json else "\t".join(_row(fields)))
            seen.update((task.id, task.version) for task in tasks)

        yield show

    def watch(self, handle: TaskHandle, timeout: float | None) -> Task:
        """Wait for a task, with a progress bar if there is a terminal to show it on."""
        if not sys.stderr.isatty():
            return handle.wait(timeout)
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import Progress as Bar

        with Bar(console=Console(stderr=True), transient=True) as bar:
            row = bar.add_task(escape(plain(handle.title)), total=None)

            def move(progress: Progress) -> None:
                words = escape(plain(progress.message or handle.title))
                total = progress.total
                bar.update(row, completed=progress.current, total=total, description=words)

            return handle.wait(timeout, on_progress=move)


def fields_of(task: Task) -> dict[str, object]:
    """Take the fields that the server has sent."""
    return task.model_dump(mode="json", exclude_unset=True)


def _row(fields: dict[str, object]) -> list[str]:
    return [plain(fields.get(name)) for name in COLUMNS]


def _tasks_table(tasks: Iterable[Task]) -> "Table":
    now = datetime.now(UTC)
    rows = (
        [
            task.id,
            task.status,
            _age((now - task.created_at).total_seconds()),
            task.handler,
            task.title,
        ]
        for task in tasks
    )
    return _table(NARROW_COLUMNS, rows)


def _age(seconds: float) -> str:
    for size, name in UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {name}"
    return "now"


def _shown(progress: Progress) -> str:
    total = "" if progress.total is None else f"/{progress.total:g}"
    return f"{progress.current:g}{total} {progress.message or ''}".rstrip()


def plain(value: object) -> str:
    """Write a value so that it neither breaks columns nor steers the terminal."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Tabs and newlines would break the columns, other control characters the terminal.
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> "Table":
    from rich.table import Table  # rich is slow to load, and a pipe needs none of it
    from rich.text import Text

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in UNBROKEN)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def _print(table: "Table") -> None:
    from rich.console import Console

    Console().print(table)

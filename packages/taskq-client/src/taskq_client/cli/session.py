"""The session of a command: the server, and how what it says is shown."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from taskq_client._sync import TaskqClient
from taskq_client._sync_handles import TaskHandle
from taskq_client._sync_operations import Bulk
from taskq_client.bulk import BulkOperation
from taskq_client.cli.words import plain
from taskq_client.history import Failures
from taskq_client.models import Attempt, Caller, Progress, Task, Worker

if TYPE_CHECKING:  # rich is slow to load, and a pipe needs none of it
    from rich.console import Console
    from rich.text import Text

COLUMNS = ("id", "status", "priority", "handler", "created_at", "title")
ATTEMPT_COLUMNS = ("attempt", "outcome", "started_at", "finished_at", "type", "message")
WORKER_COLUMNS = (
    *("id", "name", "running_count", "concurrency", "quarantine_in_use"),
    *("started_at", "heartbeat_at", "version", "namespaces", "queues", "handlers"),
)


def clock() -> datetime:
    """Tell the time from which ages count."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Session:
    """One call of the command.

    Attributes:
        url: The server, or None for the default.
        as_json: Show JSON, whatever stdout is.
        terminal: Show what people read; else text that scripts can split at tabs.
        namespace: The namespace that an operator names, if one is named.
    """

    url: str | None
    as_json: bool
    terminal: bool
    namespace: str | None = None

    @property
    def for_people(self) -> bool:
        """Whether the output is neither for a script nor JSON."""
        return self.terminal and not self.as_json

    def client(self) -> TaskqClient:
        """Make a client for the server."""
        return TaskqClient(self.url, namespace=self.namespace)

    def show_submitted(self, task: Task) -> None:
        """Show a task after its submit in one line; in a pipe only the id."""
        if self.as_json or self.terminal:
            self.show_line(task)
        else:
            click.echo(task.id)

    def show_line(self, task: Task) -> None:
        """Show one line on a task to people, and all its fields to scripts."""
        if not self.for_people:
            self.show(task)
            return
        from taskq_client.cli.listings import task_line

        self.show_lines(lambda width: task_line(task, width))

    def show(self, task: Task) -> None:
        """Show a task."""
        fields = fields_of(task)
        if self.as_json:
            click.echo(json.dumps(fields))
        elif self.terminal:
            from taskq_client.cli.task_view import task_view

            self.show_lines(lambda width: task_view(task, width, clock()))
        else:
            for name, value in fields.items():
                click.echo(f"{name}\t{plain(value)}")

    def show_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Show the ended attempts of a task."""
        found = [attempt.model_dump(mode="json", exclude_unset=True) for attempt in attempts]
        if self.for_people:
            from taskq_client.cli.task_view import attempts_view

            self.show_lines(lambda width: attempts_view(attempts, width, clock()))
        else:
            self.show_rows(
                [[fields.get(name) for name in ATTEMPT_COLUMNS] for fields in found], found
            )

    def show_caller(self, caller: Caller) -> None:
        """Show a caller."""
        if self.for_people:
            from taskq_client.cli.listings import caller_lines

            self.show_lines(lambda width: caller_lines(caller, width, clock()))
            return
        fields = caller.model_dump(mode="json", exclude_unset=True)
        self.show_rows(fields.items(), fields)

    def show_workers(self, workers: Sequence[Worker]) -> None:
        """Show workers."""
        if self.for_people:
            from taskq_client.cli.worker_view import worker_lines

            self.show_lines(lambda width: worker_lines(workers, width, clock()))
            return
        found = [worker.model_dump(mode="json") for worker in workers]
        self.show_rows([[_cell(each[name]) for name in WORKER_COLUMNS] for each in found], found)

    def show_failures(self, found: Failures) -> None:
        """Show groups of failures."""
        if self.for_people:
            from taskq_client.cli.failure_lines import failure_lines

            self.show_lines(lambda width: failure_lines(found, width, clock()))
            return
        self.show_rows(
            (
                (each.failed, each.retrying, each.handler, each.type, each.example, each.message)
                for each in found.items
            ),
            found.model_dump(mode="json"),
        )

    def show_operation(self, operation: BulkOperation) -> None:
        """Show a bulk operation."""
        if self.for_people:
            from taskq_client.cli.bulk_view import operation_view

            self.show_lines(lambda width: operation_view(operation, width, clock()))
            return
        fields = operation_fields(operation)
        self.show_rows(fields.items(), fields)

    def show_state(self, task: Task) -> None:
        """Show the state of a task in one line."""
        if self.for_people:
            from taskq_client.cli.task_view import state_line

            self.show_lines(lambda width: state_line(task, width))
            return
        progress = "" if task.progress is None else progress_of(task.progress)
        click.echo(f"{task.version}\t{plain(task.status)}\t{task.attempt}\t{plain(progress)}")

    def show_result(self, result: Any) -> None:
        """Show a result as JSON, over several lines on a terminal."""
        click.echo(json.dumps(result, indent=2 if self.for_people else None))

    def show_all(self, tasks: Iterable[Task]) -> None:
        """Show one line for each task, or a JSON array."""
        if self.as_json:
            click.echo(json.dumps([fields_of(task) for task in tasks]))
        elif self.terminal:
            from taskq_client.cli.listings import task_lines

            found = list(tasks)
            self.show_lines(lambda width: task_lines(found, width, clock()))
        else:
            for task in tasks:
                click.echo("\t".join(_row(fields_of(task))))

    def show_rows(self, rows: Iterable[Sequence[object]], objects: object) -> None:
        """Show rows to scripts: with tabs between the cells or, as JSON, the objects."""
        if self.as_json:
            click.echo(json.dumps(objects))
            return
        for row in rows:
            click.echo("\t".join(map(plain, row)))

    def show_sentence(self, sentence: str) -> None:
        """Show a sentence to people."""
        from taskq_client.cli.lines import hanging, join

        self.show_lines(lambda width: join(hanging(plain(sentence), width)))

    def show_lines(self, lines: "Callable[[int], Text]") -> None:
        """Show lines that are made for the width of the terminal."""
        console = _console()
        console.print(lines(console.width), no_wrap=True, overflow="ignore", crop=False)

    @contextmanager
    def watching(self) -> Iterator[Callable[[list[Task]], None]]:
        """Show a list repeatedly: in place on a terminal, else only the changes."""
        if self.for_people:
            from rich.live import Live

            from taskq_client.cli.listings import task_lines

            with Live(console=_console(), auto_refresh=False) as live:
                yield lambda tasks: live.update(
                    task_lines(tasks, live.console.width, clock()), refresh=True
                )
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
        from rich.markup import escape
        from rich.progress import Progress as Bar

        with Bar(console=_console(stderr=True), transient=True) as bar:
            row = bar.add_task(escape(plain(handle.title)), total=None)

            def move(progress: Progress) -> None:
                words = escape(plain(progress.message or handle.title))
                total = progress.total
                bar.update(row, completed=progress.current, total=total, description=words)

            return handle.wait(timeout, on_progress=move)

    def watch_operation(
        self, bulk: Bulk, total: int | None, timeout: float | None
    ) -> BulkOperation:
        """Wait for a bulk operation, with a progress bar if there is a terminal to show it on.

        Args:
            bulk: The operation.
            total: How many tasks it will find, if that is known.
            timeout: Seconds to wait; None for as long as it takes.
        """
        if not sys.stderr.isatty():
            return bulk.wait(timeout)
        from rich.progress import Progress as Bar

        with Bar(console=_console(stderr=True), transient=True) as bar:
            row = bar.add_task(plain(bulk.action), total=total)

            def move(seen: BulkOperation) -> None:
                words = f"{plain(seen.action)}: {seen.done:,} done, {seen.skipped:,} skipped"
                bar.update(row, completed=seen.matched, description=words)

            return bulk.wait(timeout, on_progress=move)


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    if os.environ.get("NO_COLOR"):  # rich would leave bold and dim in
        return Console(stderr=stderr, highlight=False, color_system=None)
    return Console(stderr=stderr, highlight=False)


def fields_of(task: Task) -> dict[str, object]:
    """Take the fields that the server has sent."""
    return task.model_dump(mode="json", exclude_unset=True)


def operation_fields(operation: BulkOperation) -> dict[str, object]:
    """Take the fields that the server has sent."""
    return operation.model_dump(mode="json", exclude_unset=True)


def progress_of(progress: Progress) -> str:
    """Write how far a task is, as in `3/4 reel 3`."""
    total = "" if progress.total is None else f"/{progress.total:g}"
    return f"{progress.current:g}{total} {progress.message or ''}".rstrip()


def _row(fields: dict[str, object]) -> list[str]:
    return [plain(fields.get(name)) for name in COLUMNS]


def _cell(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value

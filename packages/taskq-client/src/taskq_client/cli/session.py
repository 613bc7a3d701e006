"""What the global options decide: which server, and how a task is shown."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import click

from taskq_client._sync import TaskqClient
from taskq_client.models import Task

COLUMNS = ("id", "status", "priority", "handler", "created_at", "title")


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
        """Show a task that was just submitted; in a pipe that is its id alone."""
        if self.as_json or self.terminal:
            self.show(task)
        else:
            click.echo(task.id)

    def show(self, task: Task) -> None:
        """Show all fields of a task."""
        fields = _fields(task)
        if self.as_json:
            click.echo(json.dumps(fields))
        elif self.terminal:
            _print_table(["field", "value"], [[name, _text(fields[name])] for name in fields])
        else:
            for name, value in fields.items():
                click.echo(f"{name}\t{_text(value)}")

    def show_all(self, tasks: Iterable[Task]) -> None:
        """Show one line for each task, or a JSON array."""
        every = (_fields(task) for task in tasks)
        if self.as_json:
            click.echo(json.dumps(list(every)))
            return
        rows = ([_text(fields.get(name)) for name in COLUMNS] for fields in every)
        if self.terminal:
            _print_table(list(COLUMNS), rows)
        else:
            for row in rows:
                click.echo("\t".join(row))


def _fields(task: Task) -> dict[str, object]:
    return task.model_dump(mode="json", exclude_unset=True)


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Tabs and newlines would break the columns, other control characters the terminal.
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _print_table(columns: list[str], rows: Iterable[list[str]]) -> None:
    from rich.console import Console  # the table is the only use of rich, and it is slow to load
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)

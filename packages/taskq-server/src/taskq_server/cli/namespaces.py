"""`taskq-server namespaces`: make namespaces, and list them."""

import json
import shutil
from collections.abc import Sequence

import click

from taskq_server.cli._database import on_database, require_head
from taskq_server.cli._groups import Commands
from taskq_server.core import environment
from taskq_server.core.database import Database
from taskq_server.core.log_text import escaped_text
from taskq_server.schemas.wire import moment
from taskq_server.services.namespaces import Namespaces, NamespaceUse

_SHORTEST_NAME = 10


@click.group(cls=Commands)
def namespaces() -> None:
    """Make and list namespaces: worlds of their own on one deployment."""


@namespaces.command(short_help="Make a namespace.")
@click.argument("name")
def create(name: str) -> None:
    """Make the namespace NAME. Namespaces are never deleted."""

    async def work(database: Database) -> None:
        await require_head(database)
        is_new = await Namespaces(database).create(name)
        click.echo(f"{escaped_text(name)}: {'made' if is_new else 'exists already'}")

    on_database(work)


@namespaces.command("list", short_help="List namespaces.")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def list_all(as_json: bool) -> None:
    """List the namespaces, with the numbers of their tasks and of the queues that have tasks."""

    async def work(database: Database) -> None:
        await require_head(database)
        found = await Namespaces(database).use()
        if as_json:
            click.echo(json.dumps([_as_json(each) for each in found], indent=2))
        else:
            colour = None if environment.allows_colour() else False
            click.echo(table(found, shutil.get_terminal_size().columns), color=colour)

    on_database(work)


def table(found: Sequence[NamespaceUse], columns: int) -> str:
    """Return one line for each namespace, and one about their number."""
    rows = [("namespace", "tasks", "queues", "made")]
    rows += map(_row, found)
    tasks, queues, made = (max(len(row[at]) for row in rows) for at in (1, 2, 3))
    room = max(_SHORTEST_NAME, columns - tasks - queues - made - 6)
    name = min(room, max(len(row[0]) for row in rows))
    lines = [
        f"{_cut(row[0], name):<{name}}  {row[1]:>{tasks}}  {row[2]:>{queues}}  {row[3]}"
        for row in rows
    ]
    lines[0] = click.style(lines[0].rstrip(), bold=True)
    return "\n".join([*lines, "", f"{len(found)} namespace{'' if len(found) == 1 else 's'}"])


def _row(each: NamespaceUse) -> tuple[str, str, str, str]:
    day = f"{each.created_at:%Y-%m-%d}"
    return escaped_text(each.name), f"{each.tasks:,}", f"{each.queues:,}", day


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"


def _as_json(each: NamespaceUse) -> dict[str, str | int]:
    return {
        "name": each.name,
        "tasks": each.tasks,
        "queues": each.queues,
        "created_at": moment(each.created_at),
    }

"""`taskq-server handlers`: what a worker would have, and what workers have published."""

import contextlib
import difflib
import json
import shutil
import sys
from collections.abc import Sequence

import click

from taskq_server.cli import _handler_view as view
from taskq_server.cli import _options as options
from taskq_server.cli import _use_view as use_view
from taskq_server.cli._database import on_database, require_head
from taskq_server.cli._groups import CommandsOrOne
from taskq_server.cli._startup import say_unknown
from taskq_server.core import environment, logs
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.domain.errors import TaskqError
from taskq_server.handlers.registry import Registry, load
from taskq_server.services.handler_use import HandlerUse, HandlerUses


@click.group(cls=CommandsOrOne, otherwise="show", subcommand_metavar="[NAME | COMMAND] [ARGS]...")
def handlers() -> None:
    """Show handlers of modules; list and remove those that workers have published.

    `taskq-server handlers [NAME]` is short for `taskq-server handlers show [NAME]`.
    """


@handlers.command(short_help="Show what a worker would have.")
@click.argument("name", required=False)
@options.handlers
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def show(name: str | None, as_json: bool, **given: object) -> None:
    """List the handlers that a worker would have, or show the one called NAME."""
    logs.configure("WARNING")
    say_unknown()
    settings = Settings.load(**given)
    with contextlib.redirect_stdout(sys.stderr):  # what modules print at import
        registry = load(settings.handlers, builtin=settings.builtin_handlers)
    if name is not None:
        _require(registry, name)
    if as_json:
        found = [view.as_json(registry.handlers[each], settings) for each in _names(registry, name)]
        click.echo(json.dumps(found if name is None else found[0], indent=2, default=repr))
        return
    columns = shutil.get_terminal_size().columns
    colour = None if environment.allows_colour() else False
    if name is not None:
        click.echo(view.one(registry.handlers[name], settings, columns), color=colour)
    elif registry.handlers:
        every = [registry.handlers[each] for each in _names(registry)]
        click.echo(view.listed(every, columns), color=colour)
    else:
        click.echo("There are no handlers: name their modules with --handlers.", err=True)


@handlers.command("list", short_help="List what workers have published.")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def list_all(as_json: bool) -> None:
    """List the handlers that workers have published, and whether anybody still uses them.

    A handler may be removed when no live worker has it, none has had it for 30 days, and neither a
    schedule nor a task that waits or runs names it.
    """

    async def work(database: Database) -> None:
        found = await (await _uses(database)).all()
        if as_json:
            click.echo(json.dumps([use_view.as_json(each) for each in found], indent=2))
        elif found:
            colour = None if environment.allows_colour() else False
            columns = shutil.get_terminal_size().columns
            click.echo(use_view.listed(found, columns), color=colour)
        else:
            click.echo("No worker has published a handler.", err=True)

    on_database(work)


@handlers.command(short_help="Remove what nobody uses any more.")
@click.option("--yes", is_flag=True, help="do not ask")
def prune(yes: bool) -> None:
    """Remove the published handlers that `list` says may be removed.

    The schedules that their code declared go with them. A worker that comes back publishes its
    handlers again.
    """

    async def work(database: Database) -> None:
        uses = await _uses(database)
        free = [each for each in await uses.all() if not each.kept_for]
        if not free:
            click.echo("There is nothing to remove: `taskq-server handlers list` says why.")
            return
        if not yes:
            _ask(free)
        for each in await uses.prune({(each.namespace, each.name) for each in free}):
            click.echo(f"removed {use_view.removed(each)}")

    on_database(work)


async def _uses(database: Database) -> HandlerUses:
    await require_head(database)
    now = await database.now()
    return HandlerUses(database, lambda: now)


def _ask(free: Sequence[HandlerUse]) -> None:
    for each in free:
        click.echo(use_view.removed(each))
    if not sys.stdin.isatty():
        raise TaskqError("nobody can be asked here: say --yes to remove them")
    click.confirm(use_view.question(len(free)), abort=True)


def _names(registry: Registry, name: str | None = None) -> list[str]:
    return sorted(registry.handlers) if name is None else [name]


def _require(registry: Registry, name: str) -> None:
    if name not in registry.handlers:
        meant = difflib.get_close_matches(name, registry.handlers, n=1)
        known = ", ".join(sorted(registry.handlers)) or "none: name their modules with --handlers"
        hint = f"did you mean {meant[0]}?" if meant else f"there are {known}"
        raise TaskqError(f"there is no handler {name}: {hint}")

"""`taskq-server handlers`: the handlers that a worker with these settings would have."""

import contextlib
import difflib
import json
import shutil
import sys

import click

from taskq_server.cli import _handler_view as view
from taskq_server.cli import _options as options
from taskq_server.cli._startup import say_unknown
from taskq_server.core import environment, logs
from taskq_server.core.config import Settings
from taskq_server.domain.errors import TaskqError
from taskq_server.handlers.registry import Registry, load


@click.command()
@click.argument("name", required=False)
@options.handlers
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def handlers(name: str | None, as_json: bool, **given: object) -> None:
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


def _names(registry: Registry, name: str | None = None) -> list[str]:
    return sorted(registry.handlers) if name is None else [name]


def _require(registry: Registry, name: str) -> None:
    if name not in registry.handlers:
        meant = difflib.get_close_matches(name, registry.handlers, n=1)
        known = ", ".join(sorted(registry.handlers)) or "none: name their modules with --handlers"
        hint = f"did you mean {meant[0]}?" if meant else f"there are {known}"
        raise TaskqError(f"there is no handler {name}: {hint}")

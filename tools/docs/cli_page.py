"""docs/cli.md, from the two commands."""

from collections.abc import Iterator

import click

from taskq_client.cli import main as client
from taskq_server.cli import cli as server
from tools.docs.markdown import block

COLUMNS = 80
COMMANDS: dict[str, tuple[click.Command, str]] = {
    "taskq-server": (server, "starts a server"),
    "taskq": (client, "talks to one"),
}

HEAD = """\
# Commands

`taskq-server` runs taskq and `taskq` uses it, and here is what `--help` says of each command.

`taskq-server` comes with the package `taskq-server`, and `taskq` with `taskq-client`. Options of \
`taskq-server` are also [settings](settings.md). `taskq completion SHELL` prints what completes \
commands, options, handlers and ids.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for name, (command, purpose) in COMMANDS.items():
        parts.append(f"## {name}: {purpose}\n")
        parts.extend(_sections(command, _context(command, name)))
    return "\n".join(parts)


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    if context.parent is not None:
        yield f"### {context.command_path}\n"
    yield block("text", "\n".join(line.rstrip() for line in command.get_help(context).split("\n")))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _sections(child, _context(child, name, context))


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    context = click.Context(command, parent, name, **command.context_settings)
    context.terminal_width = context.max_content_width = COLUMNS
    return context

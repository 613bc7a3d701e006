"""Groups of commands that know what a misspelt command was meant to be."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click


class Commands(click.Group):
    """A group that answers an unknown command with the one that was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command.

        Raises:
            UsageError: there is no such command.
        """
        name = args[0]
        known = self.list_commands(ctx)
        if name in known or name.startswith("-"):
            return super().resolve_command(ctx, args)
        meant = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(known)}"
        raise click.UsageError(f"there is no command {name}: {hint}", ctx)


class CommandsOrOne(Commands):
    """A group of which one command is meant wherever none is named.

    Args:
        otherwise: its name.
    """

    def __init__(self, *args: Any, otherwise: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._otherwise = otherwise

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name the command that is meant."""
        known = (*self.list_commands(ctx), *ctx.help_option_names)
        named = args if args and args[0] in known else [self._otherwise, *args]
        return super().parse_args(ctx, named)


class LazyCommands(Commands):
    """A group whose commands are imported when they are needed, each from a module of its name.

    Args:
        summaries: for each command the line that the help of the group shows.
    """

    def __init__(self, *args: Any, summaries: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._summaries:
            return None
        module = importlib.import_module(f"taskq_server.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))

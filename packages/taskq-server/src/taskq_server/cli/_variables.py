"""Help that names the environment variables of a command; only then are settings imported."""

from collections.abc import Iterator
from typing import Any

import click

from taskq_server.core.environment import variable


class WithVariables(click.Command):
    """A command whose help names the variables that it reads, besides those of its options.

    Args:
        without: names of the classes of settings that mean nothing to it.
    """

    def __init__(self, *args: Any, without: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self._without = without

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write their names."""
        told = {option.name for option in self.params}
        names = [variable(name) for name in self._read() if name not in told]
        with formatter.section("Variables"):
            formatter.write_text(", ".join(names))
            formatter.write_paragraph()
            formatter.write_text("`taskq-server settings --help` says what each is for.")

    def _read(self) -> Iterator[str]:
        from taskq_server.core.config import Settings
        from taskq_server.core.settings.group import Group

        for group in reversed(Settings.__bases__):
            if issubclass(group, Group) and group.__name__ not in self._without:
                yield from group.model_fields


class WithMeanings(click.Command):
    """A command whose help says what each variable is for, and what it is when it is not set."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the variables with their meaning."""
        from taskq_server.core.config import Settings

        rows = [
            (variable(name), _meaning(str(field.description), field.default))
            for name, field in Settings.model_fields.items()
        ]
        with formatter.section("Variables"):
            formatter.write_dl(rows)


def shown(value: object) -> str:
    """Return a value as it would be written into a variable."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _meaning(description: str, default: object) -> str:
    text = shown(default)
    return f"{description}  [default: {text}]" if text else description

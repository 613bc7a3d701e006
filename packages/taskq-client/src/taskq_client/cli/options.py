"""The options and types that several commands share."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from taskq_client._inputs import OF_A_WAIT
from taskq_client.cli.suggestions import did_you_mean


class Seconds(click.FloatRange):
    """A number of seconds, but not NaN.

    Args:
        least: The smallest number.
        min_open: Whether it has to be over that.
        most: The largest number: a year, unless it is said.
    """

    name = "number of seconds"

    def __init__(
        self, *, least: float = 0, min_open: bool = False, most: float = OF_A_WAIT.most
    ) -> None:
        super().__init__(min=least, max=most, min_open=min_open)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Name the value in the help."""
        return "SECONDS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a valid {self.name}.", param, ctx)
        return seconds


class Word(click.Choice[str]):
    """One of a few words; of one that is wrong, the error names the nearest."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__([str(word) for word in words])

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Name the words, and the one that was meant."""
        said = super().get_invalid_choice_message(value, ctx)
        return f"{said.rstrip('.')}{did_you_mean(str(value), map(str, self.choices))}"


class OptionalValue(click.Option):
    """An option whose value may be left out.

    Args:
        without_value: The value of the option without a value, or with an empty one.
    """

    def __init__(self, *args: Any, without_value: float | None, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.without_value = without_value

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Read the value."""
        return self.without_value if value == "" else super().type_cast_value(ctx, value)


class OptionalValueCommand(click.Command):
    """A command that reads the word behind an `OptionalValue` as its value only if it is a number.

    click takes any word, such as the handler in `taskq submit --wait HANDLER`.
    """

    _NUMBER = re.compile(r"-?\d+\.?\d*|\.\d+")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join each `OptionalValue` option with its value, or with an empty one."""
        options = {name: option for option in self.params for name in option.opts}
        words: list[str] = []
        rest = list(args)
        while rest and rest[0] != "--":
            word = rest.pop(0)
            option = options.get(word) if word.startswith("-") else None
            if isinstance(option, OptionalValue):
                value = rest.pop(0) if rest and self._NUMBER.fullmatch(rest[0]) else ""
                words.append(f"{word}={value}")
            elif isinstance(option, click.Option) and not option.is_flag:
                words += [word, *rest[:1]]
                del rest[:1]
            else:
                words.append(word)
        return super().parse_args(ctx, words + rest)


_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def moment(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Read a time with its zone, or how long ago it was, as in `2h`."""
    if value is not None and (ago := _AGO.fullmatch(value)):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    try:
        found = datetime.fromisoformat(value) if value is not None else None
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time such as 2026-10-01T12:00:00Z") from None
    if found is not None and found.utcoffset() is None:
        raise click.BadParameter(f"{value!r} needs a time zone, such as a Z at its end")
    return found


def none_if_empty(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Turn an option that was not given into None."""
    return value or None


def _as_json(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.obj = replace(context.obj, as_json=True)


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_as_json, help="Print JSON."
)
"""`taskq --json`, but behind the name of the command."""

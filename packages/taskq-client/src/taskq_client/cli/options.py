"""What the options of several commands share."""

from dataclasses import replace
from datetime import datetime

import click

SECONDS = click.FloatRange(min=0)


def moment(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Read a time with its zone."""
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
    """Leave to the server what was not given."""
    return value or None


def _as_json(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.obj = replace(context.obj, as_json=True)


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_as_json, help="Print JSON."
)
"""The same as `taskq --json`, behind the name of the command."""

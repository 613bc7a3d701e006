"""`taskq-server settings`: the settings in force, and where each comes from."""

import json
import shutil
from collections.abc import Mapping
from typing import Literal

import click

from taskq_server.cli._startup import say_unknown
from taskq_server.cli._variables import WithMeanings, shown
from taskq_server.cli.api import api
from taskq_server.cli.dev import dev
from taskq_server.cli.worker import worker
from taskq_server.core import dialects, environment, logs, urls
from taskq_server.core.config import Settings
from taskq_server.core.environment import variable
from taskq_server.core.log_text import escaped_text

Origin = Literal["option", "variable", "default"]

_OPTIONS = {
    option.name: option
    for command in (api, dev, worker)
    for option in command.params
    if option.name in Settings.model_fields
}


@click.command(cls=WithMeanings, params=[*_OPTIONS.values()])
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def settings(as_json: bool, **given: object) -> None:
    """Print every setting in force, without passwords. Those that are set have a star.

    The words behind a value say what sets it: a variable, or an option. Give this command the
    options of `api`, `dev` or `worker` to see what they would change. No file is read.
    """
    logs.configure("WARNING")
    say_unknown()
    found = Settings.load(**given)
    values = found.model_dump(mode="json") | _effective(found)
    origins = _origins(given)
    if as_json:
        pairs = {
            variable(name): {"value": value, "from": origins[name]}
            for name, value in values.items()
        }
        click.echo(json.dumps(pairs, indent=2))
        return
    label = max(len(variable(name)) for name in values)
    columns = shutil.get_terminal_size().columns
    for name, value in values.items():
        click.echo(_line(name, escaped_text(shown(value)), origins[name], label, columns))


def _effective(found: Settings) -> dict[str, object]:
    """Return what processes use where the setting itself is a secret, or stands for another."""
    redis = found.redis_url
    return {
        "database_url": dialects.shown(found.database_url.get_secret_value()),
        "redis_url": None if redis is None else urls.shown_redis(redis.get_secret_value()),
        "namespaces": list(found.served_namespaces),
        "processes": found.process_count,
        "auth": found.asks_for_keys,
    }


def _origins(given: Mapping[str, object]) -> dict[str, Origin]:
    """Return where each setting comes from, in the order in which they are asked."""
    variables = environment.read(Settings.model_fields)

    def origin(name: str) -> Origin:
        if given.get(name) is not None:
            return "option"
        return "variable" if name in variables else "default"

    return {name: origin(name) for name in Settings.model_fields}


def _line(name: str, value: str, origin: Origin, label: int, columns: int) -> str:
    star, note = (" ", "") if origin == "default" else ("*", f"  ({origin})")
    line = f"{star} {variable(name):<{label}}  {value}{note}".rstrip()
    if len(line) <= columns:
        return line
    return f"{star} {variable(name)}{note}\n    {value}"  # it has no room beside its name

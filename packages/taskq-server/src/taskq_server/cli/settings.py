"""`taskq-server settings`: the settings in force, and which of them the environment sets."""

import json
import shutil

import click

from taskq_server.cli._startup import say_unknown
from taskq_server.core import dialects, logs, urls
from taskq_server.core.config import Settings
from taskq_server.core.environment import variable
from taskq_server.core.log_text import escaped_text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def settings(as_json: bool) -> None:
    """Print every setting and its value, without passwords. Those that are set have a star."""
    logs.configure("WARNING")
    say_unknown()
    found = Settings.load()
    values = found.model_dump(mode="json") | _urls(found)
    if as_json:
        click.echo(json.dumps({variable(name): value for name, value in values.items()}, indent=2))
        return
    label = max(len(variable(name)) for name in values)
    columns = shutil.get_terminal_size().columns
    for name, value in values.items():
        star = "*" if name in found.model_fields_set else " "
        line = f"{star} {variable(name):<{label}}  {escaped_text(_text(value))}".rstrip()
        if len(line) > columns:  # a value that has no room beside its name comes below
            line = f"{star} {variable(name)}\n    {escaped_text(_text(value))}"
        click.echo(line)


def _urls(found: Settings) -> dict[str, str | None]:
    redis = found.redis_url
    return {
        "database_url": dialects.shown(found.database_url.get_secret_value()),
        "redis_url": None if redis is None else urls.shown_redis(redis.get_secret_value()),
    }


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)

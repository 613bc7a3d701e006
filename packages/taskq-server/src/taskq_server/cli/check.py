"""`taskq-server check`: is this deployment well, and what has to be changed?"""

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping
from os import EX_CONFIG

import click

from taskq_server.broker.connection import connect
from taskq_server.cli import _options as options
from taskq_server.cli._startup import require_redis, run, say_unknown
from taskq_server.cli._variables import WithVariables
from taskq_server.core import dialects, environment, logs
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.core.log_text import escaped_text
from taskq_server.doctor.checks import CHECKS, examine
from taskq_server.doctor.findings import Finding, Outcome, Patient, wrong
from taskq_server.domain.errors import ConfigurationError
from taskq_server.services import admin_key

_WIDEST = 100
_COLOURS = {Outcome.WELL: "green", Outcome.WRONG: "red", Outcome.SKIPPED: "yellow"}


@click.command(cls=WithVariables)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.option(
    "--without",
    multiple=True,
    type=click.Choice([check.name for check in CHECKS]),
    metavar="CHECK",
    help="leave a check out; may be repeated",
)
@options.host
@options.uds
@options.auth
@options.insecure_no_auth
def check(as_json: bool, without: tuple[str, ...], **given: object) -> None:
    """Say what is wrong with this deployment, a sentence each.

    The exit status is 0 if all is well, 1 if not, and 78 if the settings cannot work at all. Run it
    with the variables of the API, and with its options.
    """
    logs.configure("WARNING")
    say_unknown()
    logs.configure("CRITICAL")  # from here on, outages are findings
    try:
        settings = Settings.load(**given)
        _require_what_must_be(settings)
    except ConfigurationError as error:
        if as_json:
            _print_json({"settings": wrong(str(error))})
            sys.exit(EX_CONFIG)
        raise
    found = run(_examine(settings, without))
    if as_json:
        _print_json(found)
    else:
        colour = None if environment.allows_colour() else False
        click.echo(screen(found, shutil.get_terminal_size().columns), color=colour)
    sys.exit(int(any(one.outcome is Outcome.WRONG for one in found.values())))


def _require_what_must_be(settings: Settings) -> None:
    """Check the settings that stop every process.

    Raises:
        ConfigurationError: one of them cannot work.
    """
    admin_key.of(settings)
    if not dialects.is_embedded(settings.database_url.get_secret_value()):
        require_redis(settings)


def screen(found: Mapping[str, Finding], columns: int) -> str:
    """Return a line for each finding, or some where they are narrow, and one about all."""
    width = min(columns, _WIDEST)
    label = max(map(len, found))
    indent = " " * (label + 11)
    lines = []
    for name, one in found.items():
        text = textwrap.fill(
            escaped_text(one.says),
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        outcome = click.style(f"{one.outcome:<7}", fg=_COLOURS[one.outcome])
        lines.append(f"{outcome}  {name:<{label}}  {text[len(indent) :]}")
    wrong = sum(one.outcome is Outcome.WRONG for one in found.values())
    number = f"{wrong or 'nothing'} of {len(found)} {'are' if wrong > 1 else 'is'} wrong"
    return "\n".join([*lines, "", number])


async def _examine(settings: Settings, without: tuple[str, ...]) -> dict[str, Finding]:
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=1,
        connect_seconds=settings.database_connect_seconds,
        hang_seconds=settings.database_connect_seconds,
    )
    url = settings.redis_url
    redis = None if url is None else connect(url.get_secret_value())
    patient = Patient(settings=settings, database=database, redis=redis, wall=time.time)
    try:
        return await examine(patient, without=without)
    finally:
        if redis is not None:
            await redis.aclose(close_connection_pool=True)
        await database.close()


def _print_json(found: Mapping[str, Finding]) -> None:
    ok = all(one.outcome is not Outcome.WRONG for one in found.values())
    checks = [
        {"check": name, "outcome": one.outcome, "says": one.says} for name, one in found.items()
    ]
    click.echo(json.dumps({"ok": ok, "checks": checks}, indent=2))

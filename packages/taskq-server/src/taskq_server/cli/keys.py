"""`taskq-server keys`: make and manage API keys, straight in the database, as the operator."""

import json
import re
import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from math import isfinite
from typing import Any

import click
from pydantic import ValidationError

from taskq_server.cli import _key_view as view
from taskq_server.cli._database import on_database, require_head
from taskq_server.cli._groups import Commands
from taskq_server.core import environment
from taskq_server.core.clock import Clock
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.core.log_text import escaped_text
from taskq_server.crud import api_keys
from taskq_server.domain import limits
from taskq_server.domain.caller import ALL_NAMESPACES, Caller
from taskq_server.domain.errors import KeyNotFound, TaskqError
from taskq_server.domain.keys import USUAL_OVERLAP_SECONDS
from taskq_server.schemas.key import KeyCreate
from taskq_server.services.keys import KeyService, KeyWithSecret

_OPERATOR = Caller(ALL_NAMESPACES, is_operator=True, name="operator")
_KEY_ID = re.compile(rf"[0-9A-Za-z]{{{limits.KEY_ID_LENGTH}}}")
_MOST_DAYS = 36_500
_RULES = {
    "name": ("NAME", "must have 1 to 255 characters, no control characters, no space at its ends"),
    "namespace": ("--namespace", "must have 1 to 64 characters without white space"),
    "rate_limit": ("--rate", "must be a number, a slash, and second, minute, hour or day"),
}

Work = Callable[[KeyService, Database, Clock], Awaitable[None]]


class _Number(click.FloatRange):
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{number} is not in the range {self._describe_range()}.", param, ctx)
        return number


def _checked_id(_: click.Context, __: click.Parameter, given: str) -> str:
    if not _KEY_ID.fullmatch(given):  # it may be a whole key, which must not be repeated
        raise click.BadParameter(
            f"an id has {limits.KEY_ID_LENGTH} letters and digits: it is what stands in a key "
            "between tq_ and the next _, and `taskq-server keys list` shows it"
        )
    return given


_key_id = click.argument("key_id", metavar="ID", callback=_checked_id)
_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")


@click.group(cls=Commands)
def keys() -> None:
    """Make and manage API keys. The database is TASKQ_DATABASE_URL."""


@keys.command(short_help="Make a key, and print it once.")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="SCOPE",
    help="what the key opens; may be repeated: tasks:read, tasks:write, tasks:run:GLOB, "
    "tasks:operate, metrics:read, admin",
)
@click.option(
    "--namespace", metavar="NAME", help="the world of the key; '*' makes an operator's key"
)
@click.option(
    "--expires-in",
    type=_Number(0, _MOST_DAYS, min_open=True),
    metavar="DAYS",
    help="days until it opens nothing",
)
@click.option("--rate", metavar="RATE", help="most requests, such as 600/minute")
@_as_json
def create(
    name: str,
    scopes: tuple[str, ...],
    namespace: str | None,
    expires_in: float | None,
    rate: str | None,
    as_json: bool,
) -> None:
    """Make a key called NAME, and print it: the database keeps a hash only."""

    async def work(service: KeyService, database: Database, clock: Clock) -> None:
        until = None if expires_in is None else clock() + timedelta(days=expires_in)
        wanted = _wanted(
            name=name,
            scopes=list(scopes),
            namespace=namespace,
            expires_at=until,
            rate_limit=rate,
        )
        is_first = not await database.read(api_keys.any_exists)
        made = await service.create(_OPERATOR, wanted.as_new_key())
        _print_secret(made, as_json, view.about_new(made.key, is_first=is_first))

    _manage(work)


@keys.command("list", short_help="List keys.")
@click.option("--namespace", metavar="NAME", help="only keys of this namespace")
@_as_json
def list_all(namespace: str | None, as_json: bool) -> None:
    """List the keys, the newest first, revoked and expired ones included."""

    async def work(service: KeyService, _: Database, clock: Clock) -> None:
        page = await service.list(_OPERATOR, namespace, limit=limits.PAGE_ITEMS)
        found = [*page.items]
        while page.next_cursor is not None:
            page = await service.list(
                _OPERATOR, namespace, limit=limits.PAGE_ITEMS, cursor=page.next_cursor
            )
            found += page.items
        if as_json:
            _print([view.as_json(key) for key in found])
        elif found:
            _show(view.listed(found, clock(), shutil.get_terminal_size().columns))
        else:
            say = "There are no keys: `taskq-server keys create NAME --scope SCOPE` makes one."
            click.echo(view.for_stderr(say), err=True)

    _manage(work)


@keys.command(short_help="Show a key.")
@_key_id
@_as_json
def show(key_id: str, as_json: bool) -> None:
    """Show the key with this ID, without its secret."""

    async def work(service: KeyService, _: Database, clock: Clock) -> None:
        key = await service.get(_OPERATOR, key_id)
        if as_json:
            _print(view.as_json(key))
        else:
            _show(view.one(key, clock(), shutil.get_terminal_size().columns))

    _manage(work)


@keys.command(short_help="Give a key a new secret.")
@_key_id
@click.option(
    "--overlap",
    type=_Number(0, limits.KEY_OVERLAP_SECONDS),
    default=USUAL_OVERLAP_SECONDS,
    metavar="SECONDS",
    help="how long the present secret still opens, a day by default; 0: no longer",
)
@_as_json
def rotate(key_id: str, overlap: float, as_json: bool) -> None:
    """Give the key with this ID a new secret, and print the whole key once."""

    async def work(service: KeyService, _: Database, __: Clock) -> None:
        made = await service.rotate(_OPERATOR, key_id, overlap)
        _print_secret(made, as_json, view.about_rotated(made.key))

    _manage(work)


@keys.command(short_help="Revoke a key.")
@_key_id
@_as_json
def revoke(key_id: str, as_json: bool) -> None:
    """Revoke the key with this ID for good, with all its secrets.

    Bulk operations and schedules that it has made go on; they are named.
    """

    async def work(service: KeyService, _: Database, __: Clock) -> None:
        key = await service.revoke(_OPERATOR, key_id)
        if as_json:
            _print(view.as_json(key))
        else:
            click.echo(f"{key.id}: revoked at {view.moment(key.revoked_at)}")
        made = await service.made_by(_OPERATOR, key_id)
        for sentence in view.about_made(made):
            click.echo(view.for_stderr(sentence), err=True)

    _manage(work)


def _manage(work: Work) -> None:
    usual_namespace = Settings.load().namespace

    async def with_service(database: Database) -> None:
        await require_head(database)
        clock = Clock(await database.now())
        # Nobody is told of a change: each API reads its keys anew within half a second.
        service = KeyService(database, clock, usual_namespace, lambda: None)
        try:
            await work(service, database, clock)
        except KeyNotFound as error:
            raise TaskqError(f"{error}: `taskq-server keys list` shows all") from None

    on_database(with_service)


def _wanted(**fields: object) -> KeyCreate:
    try:
        return KeyCreate.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
    field, *place = first["loc"]
    option, rule = _RULES.get(str(field), ("--scope", first["msg"].removeprefix("Value error, ")))
    if place and isinstance(first["input"], str):
        option += f" {escaped_text(first['input'])}"
    raise click.UsageError(f"{option}: {rule}", click.get_current_context(silent=True))


def _print_secret(made: KeyWithSecret, as_json: bool, sentence: str) -> None:
    text = made.token.text
    try:
        if as_json:
            _print({**view.as_json(made.key), "key": text})
        else:
            click.echo(text)
    except OSError as error:
        raise TaskqError(
            f"the key {made.key.id} has a new secret that could not be printed "
            f"({error.strerror}): revoke it, and make another key"
        ) from None
    click.echo(view.for_stderr(sentence), err=True)


def _print(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def _show(screen: str) -> None:
    click.echo(screen, color=None if environment.allows_colour() else False)

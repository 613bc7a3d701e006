"""`taskq-server db`: migrate the database's schema, and show its state."""

from collections.abc import Awaitable, Callable

import click

from taskq_server import migrations
from taskq_server.cli._database import on_database, require_head
from taskq_server.cli._differences import described
from taskq_server.cli._groups import Commands
from taskq_server.core.database import Database
from taskq_server.crud import deployment as deployments
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.ids import new_deployment_id

Move = Callable[[Database, str], Awaitable[None]]

_NOTHING = "base"


@click.group(cls=Commands)
def db() -> None:
    """Move the database's schema. The database is TASKQ_DATABASE_URL."""


@db.command(short_help="Move the schema forward.")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Move the schema forward, to the newest revision unless told otherwise."""
    on_database(lambda database: _move(database, migrations.upgrade, revision))


@db.command(short_help="Move the schema back; it drops data.")
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Move the schema back to REVISION; `base` drops every table and its rows."""
    on_database(lambda database: _move(database, migrations.downgrade, revision))


@db.command(short_help="Print the revision.")
def current() -> None:
    """Print the revision the database is at."""
    on_database(_say_current)


@db.command(short_help="Say if the schema is as expected.")
def check() -> None:
    """Exit with 1 unless the database is exactly what this version expects."""
    on_database(_check)


@db.command(short_help="Print the deployment's id.")
def deployment() -> None:
    """Print the id of this database's taskq, which is part of every name in Redis."""
    on_database(_say_deployment)


@db.command(short_help="Give a copy another id.")
def new_deployment() -> None:
    """Give the database another id: a copy would share the names in Redis with its original.

    Restart every process on this database afterwards.
    """
    on_database(_renew_deployment)


async def _move(database: Database, move: Move, revision: str) -> None:
    before = await migrations.current(database) or _NOTHING
    await move(database, revision)
    after = await migrations.current(database) or _NOTHING
    click.echo(f"{after}: {'nothing to do' if after == before else f'moved from {before}'}")


async def _say_current(database: Database) -> None:
    found = await migrations.current(database) or _NOTHING
    click.echo(found)
    if found != migrations.head():
        newest = f"The newest is {migrations.head()}: run `taskq-server db upgrade`."
        click.echo(newest, err=True)


async def _say_deployment(database: Database) -> None:
    await require_head(database)
    found = await database.read(deployments.read)
    if found is None:
        raise ConfigurationError(
            "the database has no deployment id: run `taskq-server db new-deployment`"
        )
    click.echo(found)


async def _renew_deployment(database: Database) -> None:
    await require_head(database)
    new = new_deployment_id()
    await database.write(lambda c: deployments.replace(database, c, new))
    click.echo(new)
    click.echo("Restart every process on this database: they use the old id until then.", err=True)


async def _check(database: Database) -> None:
    found = await require_head(database)
    differences = await migrations.differences(database)
    if differences:
        raise ConfigurationError(
            f"the database is not what revision {found} makes: {described(differences)}. Undo what "
            "changed it, because taskq migrates only what it has made"
        )
    click.echo(f"{found}: as expected")

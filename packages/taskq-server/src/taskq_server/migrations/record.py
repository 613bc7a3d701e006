"""Which revision the schema is at, in the table that Alembic keeps it in."""

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
)

_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    mysql_engine="InnoDB",
    mariadb_engine="InnoDB",
)


def has_begun(connection: Connection) -> bool:
    """Return whether a migration has ever begun here: it creates this table first."""
    return inspect(connection).has_table(_VERSION.name)


def recorded(connection: Connection) -> str | None:
    """Return the revision that is there completely; None when there is none.

    Two rows are what two upgrades at once left behind before they waited for each other: one of
    them had not yet come as far as the other.
    """
    if not has_begun(connection):
        return None
    oldest: str | None = connection.scalar(select(func.min(_VERSION.c.version_num)))
    return oldest


def record(connection: Connection, revision: str | None) -> None:
    """Replace the recorded revision, in the transaction that is open."""
    _VERSION.create(connection, checkfirst=True)
    connection.execute(delete(_VERSION))
    if revision is not None:
        connection.execute(insert(_VERSION).values(version_num=revision))

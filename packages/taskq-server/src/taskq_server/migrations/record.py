"""The schema's revision, in the table that Alembic uses."""

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
    """Return whether a migration has ever begun here, because each creates this table first."""
    return inspect(connection).has_table(_VERSION.name)


def recorded(connection: Connection) -> str | None:
    """Return the newest revision that is complete; None if there is none.

    Older versions allowed two upgrades at once, which may have left two rows. The lower revision
    counts, because one of the two was behind the other.
    """
    if not has_begun(connection):
        return None
    oldest: str | None = connection.scalar(select(func.min(_VERSION.c.version_num)))
    return oldest


def record(connection: Connection, revision: str | None) -> None:
    """Replace the recorded revision, in the open transaction."""
    _VERSION.create(connection, checkfirst=True)
    connection.execute(delete(_VERSION))
    if revision is not None:
        connection.execute(insert(_VERSION).values(version_num=revision))

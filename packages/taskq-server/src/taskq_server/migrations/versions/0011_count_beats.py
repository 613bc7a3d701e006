"""Count the beats of workers, and share sweeps out.

Workers whose leases were over for an hour when the migration ran are marked as ended; others mark
the rest. On MySQL it can be run again after it failed halfway.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ASCII = {"charset": "ascii", "collation": "ascii_bin"}
_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_INDEX = "ix_workers_ended_at"
_LONG_OVER = timedelta(hours=1)


def upgrade() -> None:
    """Add the columns, their index and the table."""
    there = _columns()
    if "beats" not in there:
        op.add_column(
            "workers", sa.Column("beats", sa.BigInteger(), nullable=False, server_default="0")
        )
    if "ended_at" not in there:
        op.add_column("workers", sa.Column("ended_at", _TIME))
    _end_those_of_long_ago()
    if _INDEX not in _indexes():
        op.create_index(_INDEX, "workers", ["ended_at"])
    op.create_table(
        "sweeps",
        sa.Column("kind", _text(mysql.VARCHAR, 64), nullable=False),
        sa.Column("holder", _text(mysql.CHAR, 32)),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_sweeps"),
        if_not_exists=True,
        **_OPTIONS,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("sweeps", if_exists=True)
    if _INDEX in _indexes():
        op.drop_index(_INDEX, "workers")
    for column in {"beats", "ended_at"} & _columns():
        op.drop_column("workers", column)


def _end_those_of_long_ago() -> None:
    workers = sa.table("workers", sa.column("ended_at", _TIME), sa.column("lease_until", _TIME))
    long_ago = datetime.now(UTC).replace(tzinfo=None) - _LONG_OVER
    over = sa.and_(workers.c.ended_at.is_(None), workers.c.lease_until < long_ago)
    op.execute(sa.update(workers).where(over).values(ended_at=workers.c.lease_until))


def _text(kind: type[mysql.VARCHAR] | type[mysql.CHAR], length: int) -> sa.types.TypeEngine[str]:
    generic = sa.CHAR if kind is mysql.CHAR else sa.String
    return generic(length).with_variant(kind(length, **_ASCII), "mysql", "mariadb")


def _columns() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("workers")}


def _indexes() -> set[str | None]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("workers")}

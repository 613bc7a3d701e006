"""Keep some tasks for longer or shorter than others, and know when a handler was last seen.

The column is null in all rows that exist, so adding it copies no table. On MySQL the migration can
be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_ID = sa.CHAR(32).with_variant(
    mysql.CHAR(32, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)
_INDEX = "ix_task_keeps_look_at"


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "task_keeps",
        sa.Column("task_id", _ID, nullable=False),
        sa.Column("keep_seconds", sa.Double(), nullable=False),
        sa.Column("look_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="pk_task_keeps"),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    if _INDEX not in {each["name"] for each in _inspector().get_indexes("task_keeps")}:
        op.create_index(_INDEX, "task_keeps", ["look_at"])
    if not _has_column():
        op.add_column("handlers", sa.Column("seen_at", _TIME))


def downgrade() -> None:
    """Drop the column and the table."""
    if _has_column():
        op.drop_column("handlers", "seen_at")
    op.drop_table("task_keeps", if_exists=True)


def _inspector() -> sa.Inspector:
    return sa.inspect(op.get_bind())


def _has_column() -> bool:
    return "seen_at" in {each["name"] for each in _inspector().get_columns("handlers")}

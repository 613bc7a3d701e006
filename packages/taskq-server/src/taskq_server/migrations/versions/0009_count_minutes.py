"""Count what ends in each minute, and keep it for seven days.

The columns of the ledger are null in all rows that exist, so adding them copies no table. On MySQL
the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_QUEUE = sa.String(64).with_variant(
    mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)
_OUTCOME = sa.Enum(
    "succeeded", "failed", "timed_out", "lost", "released", "cancelled",
    name="outcome", native_enum=False, create_constraint=False, length=16,
)  # fmt: skip
_COUNTED = ("succeeded", "failed", "timed_out", "lost", "released", "cancelled")
_INDEXES = {
    "ix_task_minutes_minute": ["minute"],
    "ix_task_minutes_namespace_queue_minute": ["namespace", "queue", "minute"],
}


def upgrade() -> None:
    """Add the columns of the ledger, and the table."""
    there = _columns_of_ledger()
    for column in _columns():
        if column.name not in there:
            op.add_column("task_counts", column)
    op.create_table(
        "task_minutes",
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("minute", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("queue", _QUEUE, nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in _COUNTED),
        sa.Column("run_milliseconds", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("depth", sa.Integer()),
        sa.Column("running", sa.Integer()),
        sa.Column("oldest_age_seconds", sa.Double()),
        sa.PrimaryKeyConstraint("namespace", "minute", "queue", name="pk_task_minutes"),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    made = {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("task_minutes")}
    for name, columns in _INDEXES.items():
        if name not in made:
            op.create_index(name, "task_minutes", columns)


def downgrade() -> None:
    """Drop the table and the columns."""
    op.drop_table("task_minutes", if_exists=True)
    for column in _columns():
        if column.name in _columns_of_ledger():
            op.drop_column("task_counts", column.name)


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("outcome", _OUTCOME),
        sa.Column("minute", sa.Integer()),
        sa.Column("run_milliseconds", sa.BigInteger()),
    ]


def _columns_of_ledger() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("task_counts")}

"""Create the ledger of task counts, and count the existing tasks.

It can be run again after it failed halfway, because MySQL's DDL is not transactional. A downgrade
and another upgrade count the tasks again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_STATUS = sa.Enum(
    "queued", "running", "retrying", "succeeded", "failed", "cancelled",
    name="status", native_enum=False, create_constraint=True, length=16,
)  # fmt: skip
_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}

# A running task counts as queued.
_COUNT = """
    INSERT INTO task_counts (namespace, queue, status, amount)
    SELECT namespace, queue, counted, COUNT(*)
    FROM (
        SELECT namespace, queue,
            CASE status WHEN 'running' THEN 'queued' ELSE status END AS counted
        FROM tasks
    ) AS each_task
    GROUP BY namespace, queue, counted
"""


def upgrade() -> None:
    """Create the ledger and count the existing tasks."""
    op.create_table(
        "task_counts",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("queue", sa.String(64), nullable=False),
        sa.Column("status", _STATUS, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_counts"),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.execute("DELETE FROM task_counts")
    op.execute(_COUNT)


def downgrade() -> None:
    """Drop the ledger."""
    op.drop_table("task_counts", if_exists=True)

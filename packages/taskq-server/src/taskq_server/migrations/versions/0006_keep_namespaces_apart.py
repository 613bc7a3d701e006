"""Put the namespace first in the index of queues, and add the namespaces that a worker serves.

A sweep of one namespace then reads nothing of another's backlog. The column is null in the rows of
workers of the version before, which serve all namespaces. The new index is made before the old one
is dropped, so that no moment is without either. On MySQL the migration can be run again after it
failed halfway.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OLD = "ix_tasks_queue_handler_priority_score"
_NEW = "ix_tasks_namespace_queue_handler_priority_score"
_COLUMNS = ["queue", "handler", "priority", "score"]


def upgrade() -> None:
    """Add the column, and replace the index."""
    if not _has_column():
        op.add_column("workers", sa.Column("namespaces", sa.Text()))
    _replace(_OLD, _NEW, ["namespace", *_COLUMNS])


def downgrade() -> None:
    """Put the old index back, and drop the column."""
    _replace(_NEW, _OLD, _COLUMNS)
    if _has_column():
        op.drop_column("workers", "namespaces")


def _replace(old: str, new: str, columns: list[str]) -> None:
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("tasks")}
    if new not in present:
        op.create_index(new, "tasks", columns)
    if old in present:
        op.drop_index(old, "tasks")


def _has_column() -> bool:
    columns = sa.inspect(op.get_bind()).get_columns("workers")
    return "namespaces" in {column["name"] for column in columns}

"""Keep where handlers find the unique keys of their tasks.

The pointer is null in rows of workers that know no such column, so they go on publishing. On MySQL
the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column of handlers."""
    if "unique_key" not in _there():
        op.add_column("handlers", sa.Column("unique_key", sa.String(255)))


def downgrade() -> None:
    """Drop the column of handlers."""
    if "unique_key" in _there():
        op.drop_column("handlers", "unique_key")


def _there() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("handlers")}

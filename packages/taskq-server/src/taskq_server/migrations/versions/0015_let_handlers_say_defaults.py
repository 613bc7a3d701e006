"""Keep what handlers say for their tasks: queue, priority and tags.

They are null in rows of workers that know no such columns, so they go on publishing. On MySQL the
migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_QUEUE = sa.String(64).with_variant(
    mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)


def upgrade() -> None:
    """Add the columns of handlers."""
    there = _there()
    for column in _columns():
        if column.name not in there:
            op.add_column("handlers", column)


def downgrade() -> None:
    """Drop the columns of handlers."""
    for column in _columns():
        if column.name in _there():
            op.drop_column("handlers", column.name)


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("queue", _QUEUE),
        sa.Column("priority", sa.SmallInteger()),
        sa.Column("tags", sa.Text()),
    ]


def _there() -> set[str]:
    return {each["name"] for each in sa.inspect(op.get_bind()).get_columns("handlers")}

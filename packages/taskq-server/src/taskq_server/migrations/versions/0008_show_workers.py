"""Keep what workers say about themselves: their version, and any number of handlers and queues.

The column is null in the rows of workers of the version before. On MySQL their lists were bounded
by 65,535 bytes, and the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_VERSION = sa.String(64).with_variant(
    mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)
_MOST_BYTES = 65_535


def upgrade() -> None:
    """Add the column, and widen the lists."""
    if not _has_column():
        op.add_column("workers", sa.Column("version", _VERSION))
    _resize("LONGTEXT")


def downgrade() -> None:
    """Drop the column, and narrow the lists."""
    too_long = f"length(queues) > {_MOST_BYTES} OR length(handlers) > {_MOST_BYTES}"
    op.execute(f"DELETE FROM workers WHERE {too_long}")  # they could not live any longer
    _resize("TEXT")
    if _has_column():
        op.drop_column("workers", "version")


def _resize(kind: str) -> None:
    if op.get_bind().dialect.name != "sqlite":  # there, texts have no bounds
        op.execute(
            f"ALTER TABLE workers MODIFY queues {kind} NOT NULL, MODIFY handlers {kind} NOT NULL"
        )


def _has_column() -> bool:
    columns = sa.inspect(op.get_bind()).get_columns("workers")
    return "version" in {column["name"] for column in columns}

"""Keep unique keys: at most one task of a key waits or runs.

On MySQL the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_ASCII = {"charset": "ascii", "collation": "ascii_bin"}
_ID = sa.CHAR(32).with_variant(mysql.CHAR(32, **_ASCII), "mysql", "mariadb")
_HASH = sa.String(64).with_variant(mysql.VARCHAR(64, **_ASCII), "mysql", "mariadb")
_INDEX = "ix_unique_keys_task_id"


def upgrade() -> None:
    """Add the table of who holds which key, and that of the keys that tasks have."""
    op.create_table(
        "unique_keys",
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("hash", _HASH, nullable=False),
        sa.Column("task_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("namespace", "hash", name="pk_unique_keys"),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    made = {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("unique_keys")}
    if _INDEX not in made:
        op.create_index(_INDEX, "unique_keys", ["task_id"])
    op.create_table(
        "task_unique_keys",
        sa.Column("task_id", _ID, nullable=False),
        sa.Column("unique_key", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="pk_task_unique_keys"),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **_OPTIONS,
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("task_unique_keys", if_exists=True)
    op.drop_table("unique_keys", if_exists=True)

"""Keep queues, and which of them are paused.

On MySQL the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"
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
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_INDEX = "ix_queues_paused_at"


def upgrade() -> None:
    """Add the table of queues."""
    op.create_table(
        "queues",
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("name", _QUEUE, nullable=False),
        sa.Column("paused_at", _TIME),
        sa.Column("note", sa.String(500)),
        sa.PrimaryKeyConstraint("namespace", "name", name="pk_queues"),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    made = {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("queues")}
    if _INDEX not in made:
        op.create_index(_INDEX, "queues", ["paused_at"])


def downgrade() -> None:
    """Drop the table of queues."""
    op.drop_table("queues", if_exists=True)

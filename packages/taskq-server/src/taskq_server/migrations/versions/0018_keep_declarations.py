"""Keep the schedules that handlers declare, and which of them each worker publishes.

The column is null in the rows of workers of the version before, which say nothing about schedules.
On MySQL the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ASCII = {"charset": "ascii", "collation": "ascii_bin"}
_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_ID = sa.CHAR(32).with_variant(mysql.CHAR(32, **_ASCII), "mysql", "mariadb")
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_INDEX = "ix_declarations_digest"


def upgrade() -> None:
    """Add the table, and the column of workers."""
    op.create_table("declarations", *_columns(), if_not_exists=True, **_OPTIONS)
    made = {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("declarations")}
    if _INDEX not in made:
        op.create_index(_INDEX, "declarations", ["digest"])
    if not _has_column():
        op.add_column("workers", sa.Column("declarations", _LONG))


def downgrade() -> None:
    """Drop the column and the table."""
    if _has_column():
        op.drop_column("workers", "declarations")
    op.drop_table("declarations", if_exists=True)


def _columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("handler", _text(128), nullable=False),
        sa.Column("digest", _text(32), nullable=False),
        sa.Column("first_published_at", _TIME, nullable=False),
        sa.Column("timing", sa.Text()),
        sa.Column("paused_at", _TIME),
        sa.Column("note", sa.Text()),
        sa.Column("last_task_id", _ID),
        sa.PrimaryKeyConstraint("namespace", "handler", "digest", name="pk_declarations"),
    ]


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_ASCII), "mysql", "mariadb")


def _has_column() -> bool:
    columns = sa.inspect(op.get_bind()).get_columns("workers")
    return "declarations" in {column["name"] for column in columns}

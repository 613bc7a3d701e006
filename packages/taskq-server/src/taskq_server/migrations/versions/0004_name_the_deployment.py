"""Give the database an id, which becomes part of every name in Redis.

It can be run again after it failed halfway, and keeps an existing id. A downgrade and another
upgrade make a new id.
"""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from taskq_server.core import dialects

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_ID = sa.String(32).with_variant(
    mysql.VARCHAR(32, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)


def upgrade() -> None:
    """Create the table and its one row."""
    table = op.create_table(
        "deployment",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_deployment"),
        if_not_exists=True,
        **_OPTIONS,
    )
    once = dialects.named(op.get_bind().dialect.name).insert_once(table)
    op.execute(once.values(number=1, id=secrets.token_hex(8)))


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("deployment", if_exists=True)

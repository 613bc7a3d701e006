"""Keep the sessions of browsers, so that they end with their keys and with a sign-out.

On MySQL the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ASCII = {"charset": "ascii", "collation": "ascii_bin"}
_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_INDEXES = {
    "ix_sessions_key_id_created_at": ["key_id", "created_at"],
    "ix_sessions_expires_at": ["expires_at"],
}


def upgrade() -> None:
    """Add the table and its indexes."""
    op.create_table(
        "sessions",
        sa.Column("hash", _text(64), nullable=False),
        sa.Column("key_id", _text(12), nullable=False),
        sa.Column("secret_hash", _text(64), nullable=False),
        sa.Column("namespace", sa.String(64)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_sessions"),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    made = {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("sessions")}
    for name, columns in _INDEXES.items():
        if name not in made:
            op.create_index(name, "sessions", columns)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("sessions", if_exists=True)


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_ASCII), "mysql", "mariadb")

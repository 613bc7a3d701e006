"""Add keys and namespaces, and remember which key has submitted a task.

Namespaces that have tasks, handlers or tags already get a row. On MySQL the migration can be run
again after it failed halfway.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ASCII = {"charset": "ascii", "collation": "ascii_bin"}
_OPTIONS = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_INDEX = "ix_api_keys_namespace_created_at_id"


def upgrade() -> None:
    """Add the tables and the column."""
    op.create_table(
        "namespaces",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_namespaces"),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "api_keys", *_key_columns(), if_not_exists=True, sqlite_with_rowid=False, **_OPTIONS
    )
    if _INDEX not in {each["name"] for each in _inspector().get_indexes("api_keys")}:
        op.create_index(_INDEX, "api_keys", ["namespace", "created_at", "id"])
    if not _has_column():
        op.add_column("tasks", sa.Column("submitted_by", _text(12)))
    _fill_namespaces()


def downgrade() -> None:
    """Drop the column and the tables."""
    if _has_column():
        op.drop_column("tasks", "submitted_by")
    for table in ("api_keys", "namespaces"):
        op.drop_table(table, if_exists=True)


def _key_columns() -> list[sa.Column[object] | sa.PrimaryKeyConstraint]:
    return [
        sa.Column("id", _text(12), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("secret_hash", _text(64), nullable=False),
        sa.Column("previous_hash", _text(64)),
        sa.Column("previous_until", _TIME),
        sa.Column("rate_limit", _text(32)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("last_used_at", _TIME),
        sa.Column("revoked_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    ]


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_ASCII), "mysql", "mariadb")


def _fill_namespaces() -> None:
    connection = op.get_bind()
    names = {"default"}
    for table in ("tasks", "handlers", "tags"):
        names |= set(connection.scalars(sa.text(f"SELECT DISTINCT namespace FROM {table}")))
    there = set(connection.scalars(sa.text("SELECT name FROM namespaces")))
    namespaces = sa.table(
        "namespaces", sa.column("name", sa.String()), sa.column("created_at", _TIME)
    )
    now = datetime.now(UTC).replace(tzinfo=None)
    new = [{"name": name, "created_at": now} for name in sorted(names - there)]
    if new:
        op.bulk_insert(namespaces, new)


def _inspector() -> sa.Inspector:
    return sa.inspect(op.get_bind())


def _has_column() -> bool:
    return "submitted_by" in {each["name"] for each in _inspector().get_columns("tasks")}

"""Add the time since when a tag may be without tasks, so that the janitor can delete idle tags.

The time is unknown for existing tags, and for tags that an older process makes. SQLite needs
AUTOINCREMENT so as not to reuse the id of a deleted tag, which a process may have cached; so the
migration rebuilds both tables, in one transaction. On MySQL it can be run again after it failed
halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UNKNOWN = "1970-01-01 00:00:00"
_INDEX = "ix_tags_idle_since"
_COLUMNS = {"tags": "id, namespace, name", "task_tags": "task_id, tag_id"}


def upgrade() -> None:
    """Add the column and its index."""
    has_column = _has_column()
    if op.get_bind().dialect.name == "sqlite":
        if not has_column:
            _make_anew(_idle_since(), sqlite_autoincrement=True)
    elif not has_column:
        op.add_column("tags", _idle_since())
    if not _has_index():
        op.create_index(_INDEX, "tags", ["idle_since"])


def downgrade() -> None:
    """Drop both."""
    if _has_index():
        op.drop_index(_INDEX, "tags")
    if not _has_column():
        return
    if op.get_bind().dialect.name == "sqlite":
        _make_anew()
    else:
        op.drop_column("tags", "idle_since")


def _idle_since() -> sa.Column[object]:
    return sa.Column("idle_since", _TIME, server_default=_UNKNOWN)


def _make_anew(*columns: sa.Column[object], **options: bool) -> None:
    for table, names in _COLUMNS.items():
        op.execute(f"CREATE TEMPORARY TABLE kept_{table} AS SELECT {names} FROM {table}")
    op.drop_table("task_tags")  # first, because it may have foreign keys that delete its rows
    op.drop_table("tags")
    op.create_table(
        "tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
        sa.UniqueConstraint("namespace", "name", name="uq_tags_namespace_name"),
        **options,
    )
    op.create_table(
        "task_tags",
        sa.Column("task_id", sa.CHAR(32), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "tag_id", name="pk_task_tags"),
    )
    op.create_index("ix_task_tags_tag_id_task_id", "task_tags", ["tag_id", "task_id"])
    for table, names in _COLUMNS.items():
        op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM kept_{table}")
        op.execute(f"DROP TABLE kept_{table}")


def _has_column() -> bool:
    return "idle_since" in {each["name"] for each in sa.inspect(op.get_bind()).get_columns("tags")}


def _has_index() -> bool:
    return _INDEX in {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("tags")}

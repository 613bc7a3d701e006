"""Keep ids, hashes and names of handlers and queues as ASCII, which MySQL compares byte by byte.

As utf8mb4, each comparison decoded two texts, which was nearly a third of the database's work. The
migration rebuilds the tables of tasks, which are read-only meanwhile. It can be run again after it
failed halfway, because MySQL's DDL is not transactional, and skips its finished parts. It does
nothing on SQLite.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = {
    "tasks": (
        "id CHAR(32) {} NOT NULL",
        "worker_id CHAR(32) {}",
        "idempotency_hash VARCHAR(64) {}",
        "fingerprint VARCHAR(64) {}",
        "handler VARCHAR(128) {} NOT NULL",
        "queue VARCHAR(64) {} NOT NULL",
    ),
    "task_attempts": (
        "task_id CHAR(32) {} NOT NULL",
        "worker_id CHAR(32) {}",
        "handler VARCHAR(128) {} NOT NULL",
    ),
    "task_tags": ("task_id CHAR(32) {} NOT NULL",),
    "task_counts": ("queue VARCHAR(64) {} NOT NULL",),
    "workers": ("id CHAR(32) {} NOT NULL",),
    "handlers": ("name VARCHAR(128) {} NOT NULL",),
}
_CHILDREN = ("task_attempts", "task_tags")
_OTHERS = sa.text(
    "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()"
    " AND table_name = :table AND column_name IN :columns AND character_set_name <> :kind"
).bindparams(sa.bindparam("columns", expanding=True))


def upgrade() -> None:
    """Turn the columns into ASCII."""
    _convert("ascii")


def downgrade() -> None:
    """Turn them back."""
    _convert("utf8mb4")


def _convert(character_set: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    others = [table for table in _COLUMNS if _has_other_than(character_set, table)]
    for child in _CHILDREN:
        if ("tasks" in others or child in others) and _has_foreign_key(child):
            op.drop_constraint(_name(child), child, type_="foreignkey")
    kind = f"CHARACTER SET {character_set} COLLATE {character_set}_bin"
    for table in others:
        changes = ", ".join(f"MODIFY {column.format(kind)}" for column in _COLUMNS[table])
        op.execute(f"ALTER TABLE {table} {changes}")


def _has_other_than(character_set: str, table: str) -> bool:
    columns = [column.partition(" ")[0] for column in _COLUMNS[table]]
    values = {"table": table, "columns": columns, "kind": character_set}
    return bool(op.get_bind().scalar(_OTHERS, values))


def _has_foreign_key(child: str) -> bool:
    found = sa.inspect(op.get_bind()).get_foreign_keys(child)
    return _name(child) in {key["name"] for key in found}


def _name(child: str) -> str:
    return f"fk_{child}_task_id_tasks"

"""Keep bulk operations: one action on all tasks that a filter finds.

On MySQL the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"
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
_ACTION = sa.Enum(
    "retry", "cancel", "delete", "update",
    name="action", native_enum=False, create_constraint=True, length=16,
)  # fmt: skip
_STATE = sa.Enum(
    "running", "succeeded", "stopped",
    name="state", native_enum=False, create_constraint=True, length=16,
)  # fmt: skip
_INDEXES = {
    "ix_bulk_operations_state_finished_at": ["state", "finished_at"],
    "ix_bulk_operations_namespace_state_id": ["namespace", "state", "id"],
    "ix_bulk_operations_namespace_id": ["namespace", "id"],
    "ix_bulk_operations_key_id_id": ["key_id", "id"],
}


def upgrade() -> None:
    """Add the table."""
    op.create_table("bulk_operations", *_columns(), if_not_exists=True, **_OPTIONS)
    made = {each["name"] for each in sa.inspect(op.get_bind()).get_indexes("bulk_operations")}
    for name, columns in _INDEXES.items():
        if name not in made:
            op.create_index(name, "bulk_operations", columns)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("bulk_operations", if_exists=True)


def _columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", _ID, nullable=False),
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("idempotency_hash", _text(64)),
        sa.Column("fingerprint", _text(64)),
        sa.Column("action", _ACTION, nullable=False),
        sa.Column("filter", _LONG, nullable=False),
        sa.Column("changes", sa.Text()),
        sa.Column("limit", sa.Integer(), nullable=False),
        sa.Column("state", _STATE, nullable=False),
        sa.Column("cursor", _ID),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("matched", "done", "skipped", "failed")
        ),
        sa.Column("key_id", _text(12)),
        sa.Column("globs", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_bulk_operations"),
        sa.UniqueConstraint(
            "namespace", "idempotency_hash", name="uq_bulk_operations_namespace_idempotency_hash"
        ),
    ]


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_ASCII), "mysql", "mariadb")

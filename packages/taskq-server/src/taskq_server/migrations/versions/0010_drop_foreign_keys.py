"""Drop the foreign keys that older versions of the revisions below have made.

A foreign key locks and looks up the other row for each row that is written, and deletes row by row
what the statements delete in one. The new revisions make none, so there is nothing to undo. On
SQLite the tables with foreign keys are built anew, in one transaction. On MySQL the migration can
be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_CHILDREN = ("task_attempts", "task_tags")
_INDEXES = {
    "task_attempts": (
        "ix_task_attempts_handler_hook_done_at_finished_at",
        ["handler", "hook_done_at", "finished_at"],
    ),
    "task_tags": ("ix_task_tags_tag_id_task_id", ["tag_id", "task_id"]),
}
_OUTCOME = sa.Enum(
    "succeeded", "failed", "timed_out", "lost", "released", "cancelled",
    name="outcome", native_enum=False, create_constraint=True, length=16,
)  # fmt: skip


def upgrade() -> None:
    """Drop those that exist."""
    for child in _CHILDREN:
        names = _foreign_keys(child)
        if not names:
            continue
        if op.get_bind().dialect.name == "sqlite":
            _make_anew(child)
            continue
        for name in names:
            op.drop_constraint(name, child, type_="foreignkey")


def downgrade() -> None:
    """Leave it at that: the revisions below make no foreign keys either."""


def _foreign_keys(child: str) -> list[str]:
    return [str(key["name"]) for key in sa.inspect(op.get_bind()).get_foreign_keys(child)]


def _make_anew(child: str) -> None:
    new = f"new_{child}"
    table = op.create_table(new, *_parts(child))
    columns = ", ".join(column.name for column in table.columns)
    op.execute(f"INSERT INTO {new} ({columns}) SELECT {columns} FROM {child}")
    op.drop_table(child)
    op.rename_table(new, child)
    name, indexed = _INDEXES[child]
    op.create_index(name, child, indexed)


def _parts(child: str) -> list[sa.schema.SchemaItem]:
    if child == "task_tags":
        return [
            sa.Column("task_id", sa.CHAR(32), nullable=False),
            sa.Column("tag_id", sa.Integer(), nullable=False),
            sa.PrimaryKeyConstraint("task_id", "tag_id", name="pk_task_tags"),
        ]
    return [
        sa.Column("task_id", sa.CHAR(32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("handler", sa.String(128), nullable=False),
        sa.Column("outcome", _OUTCOME, nullable=False),
        sa.Column("result", sa.Text()),
        sa.Column("error_type", sa.String(255)),
        sa.Column("error_message", sa.Text()),
        sa.Column("traceback", sa.Text()),
        sa.Column("worker_id", sa.CHAR(32)),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=False),
        sa.Column("retry_at", sa.DateTime()),
        sa.Column("next_score", sa.BigInteger()),
        sa.Column("hook_done_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("task_id", "attempt", name="pk_task_attempts"),
    ]

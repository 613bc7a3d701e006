"""Create all tables.

It can be run again after it failed halfway, because MySQL's DDL is not transactional. An index is a
statement of its own, so a table may exist without its indexes.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.Uuid(native_uuid=False)
_TAG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_STATUS = sa.Enum(
    "queued", "running", "retrying", "succeeded", "failed", "cancelled",
    name="status", native_enum=False, create_constraint=True, length=16,
)  # fmt: skip
_OUTCOME = sa.Enum(
    "succeeded", "failed", "timed_out", "lost", "released", "cancelled",
    name="outcome", native_enum=False, create_constraint=True, length=16,
)  # fmt: skip


def upgrade() -> None:
    """Create the tables."""
    _handlers()
    _tags()
    _tasks()
    _workers()
    _task_attempts()
    _task_tags()


def downgrade() -> None:
    """Drop the tables."""
    for name in ("task_tags", "task_attempts", "workers", "tasks", "tags", "handlers"):
        op.drop_table(name, if_exists=True)


def _create(
    name: str, *parts: sa.schema.SchemaItem, indexes: dict[str, list[str]] | None = None
) -> None:
    options = {
        f"{dialect}_{option}": value
        for dialect in ("mysql", "mariadb")
        for option, value in (
            ("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin")
        )
    }  # fmt: skip
    op.create_table(name, *parts, if_not_exists=True, **options)
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(name)}
    for index, columns in (indexes or {}).items():
        if index not in present:
            op.create_index(index, name, columns)


def _handlers() -> None:
    _create(
        "handlers",
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("payload_schema", _LONG, nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("timeout_seconds", sa.Double(), nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("namespace", "name", name="pk_handlers"),
    )


def _tags() -> None:
    _create(
        "tags",
        sa.Column("id", _TAG_ID, autoincrement=True, nullable=False),
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
        sa.UniqueConstraint("namespace", "name", name="uq_tags_namespace_name"),
    )


def _tasks() -> None:
    _create(
        "tasks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("idempotency_hash", sa.String(64)),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("handler", sa.String(128), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("payload", _LONG, nullable=False),
        sa.Column("status", _STATUS, nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("queue", sa.String(64), nullable=False),
        sa.Column("run_at", _TIME),
        sa.Column("score", sa.BigInteger()),
        sa.Column("timeout_seconds", sa.Double(), nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("current_retry_count", sa.Integer(), nullable=False),
        sa.Column("backoff_base_seconds", sa.Double()),
        sa.Column("backoff_max_seconds", sa.Double()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lost_count", sa.Integer(), nullable=False),
        sa.Column("worker_id", _ID),
        sa.Column("progress", sa.Text()),
        sa.Column("cancel_requested_at", _TIME),
        sa.Column("traceparent", sa.String(64)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME),
        sa.Column("finished_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.UniqueConstraint(
            "namespace", "idempotency_hash", name="uq_tasks_namespace_idempotency_hash"
        ),
        indexes={
            "ix_tasks_queue_handler_priority_score": ["queue", "handler", "priority", "score"],
            "ix_tasks_status_finished_at_worker_id": ["status", "finished_at", "worker_id"],
            "ix_tasks_namespace_status_id": ["namespace", "status", "id"],
            "ix_tasks_namespace_priority_id": ["namespace", "priority", "id"],
            "ix_tasks_namespace_handler_id": ["namespace", "handler", "id"],
            "ix_tasks_namespace_queue_id": ["namespace", "queue", "id"],
        },
    )


def _workers() -> None:
    _create(
        "workers",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("handlers", sa.Text(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("heartbeat_at", _TIME, nullable=False),
        sa.Column("lease_until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
        indexes={"ix_workers_lease_until": ["lease_until"]},
    )


def _task_attempts() -> None:
    _create(
        "task_attempts",
        sa.Column("task_id", _ID, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("handler", sa.String(128), nullable=False),
        sa.Column("outcome", _OUTCOME, nullable=False),
        sa.Column("result", _LONG),
        sa.Column("error_type", sa.String(255)),
        sa.Column("error_message", sa.Text()),
        sa.Column("traceback", sa.Text()),
        sa.Column("worker_id", _ID),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, nullable=False),
        sa.Column("retry_at", _TIME),
        sa.Column("next_score", sa.BigInteger()),
        sa.Column("hook_done_at", _TIME),
        sa.PrimaryKeyConstraint("task_id", "attempt", name="pk_task_attempts"),
        indexes={
            "ix_task_attempts_handler_hook_done_at_finished_at": [
                "handler",
                "hook_done_at",
                "finished_at",
            ]
        },
    )


def _task_tags() -> None:
    _create(
        "task_tags",
        sa.Column("task_id", _ID, nullable=False),
        sa.Column("tag_id", _TAG_ID, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "tag_id", name="pk_task_tags"),
        indexes={"ix_task_tags_tag_id_task_id": ["tag_id", "task_id"]},
    )

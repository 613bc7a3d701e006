"""Keep schedules, and which task is that of which time.

On MySQL the migration can be run again after it failed halfway.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0016"
down_revision = "0015"
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
_OVERLAP = sa.Enum(
    "skip", "queue", "allow", "cancel",
    name="overlap", native_enum=False, create_constraint=True, length=16,
)  # fmt: skip
_CATCH_UP = sa.Enum(
    "last", "all", "none",
    name="catch_up", native_enum=False, create_constraint=True, length=16,
)  # fmt: skip
_INDEXES = {
    "schedules": {
        "ix_schedules_due_at": ["due_at"],
        "ix_schedules_namespace_handler_name": ["namespace", "handler", "name"],
        "ix_schedules_key_id_id": ["key_id", "id"],
    },
    "schedule_fires": {
        "ix_schedule_fires_namespace_name_task_id": ["namespace", "name", "task_id"],
    },
}


def upgrade() -> None:
    """Add the tables."""
    op.create_table("schedules", *_schedules(), if_not_exists=True, **_OPTIONS)
    op.create_table(
        "schedule_fires", *_fires(), if_not_exists=True, sqlite_with_rowid=False, **_OPTIONS
    )
    inspector = sa.inspect(op.get_bind())
    for table, indexes in _INDEXES.items():
        made = {each["name"] for each in inspector.get_indexes(table)}
        for name, columns in indexes.items():
            if name not in made:
                op.create_index(name, table, columns)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("schedule_fires", if_exists=True)
    op.drop_table("schedules", if_exists=True)


def _schedules() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", _ID, nullable=False),
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("name", _text(192), nullable=False),
        sa.Column("cron", sa.String(128)),
        sa.Column("every_seconds", sa.Double()),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("overlap", _OVERLAP, nullable=False),
        sa.Column("catch_up", _CATCH_UP, nullable=False),
        sa.Column("catch_up_seconds", sa.Double(), nullable=False),
        sa.Column("jitter_seconds", sa.Double(), nullable=False),
        *_times("starts_at", "ends_at", "paused_at"),
        sa.Column("note", sa.String(500)),
        sa.Column("task", _LONG, nullable=False),
        sa.Column("handler", _text(128), nullable=False),
        sa.Column("key_id", _text(12)),
        sa.Column("globs", sa.Text(), nullable=False),
        sa.Column("declaration", _text(64)),
        sa.Column("version", sa.Integer(), nullable=False),
        *_times("due_at", "next_fire_at", "queued_fire_at", "last_fire_at"),
        sa.Column("last_task_id", _ID),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("fired", "skipped", "missed")),
        sa.Column("last_error", sa.String(500)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
        sa.UniqueConstraint("namespace", "name", name="uq_schedules_namespace_name"),
    ]


def _fires() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("schedule_id", _ID, nullable=False),
        sa.Column("fire_at", _TIME, nullable=False),
        sa.Column("task_id", _ID, nullable=False),
        sa.Column("namespace", sa.String(64), nullable=False),
        sa.Column("name", _text(192), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "fire_at", name="pk_schedule_fires"),
        sa.UniqueConstraint("task_id", name="uq_schedule_fires_task_id"),
    ]


def _times(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, _TIME) for name in names]


def _text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_ASCII), "mysql", "mariadb")

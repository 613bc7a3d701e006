"""Settings of tasks."""

from datetime import timedelta

from pydantic import Field, field_validator

from taskq_server.core.settings.group import Group
from taskq_server.domain import limits
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.retention import Retention


class TaskSettings(Group):
    """What tasks may be, and how long they are kept."""

    namespace: str = Field(
        "default",
        min_length=1,
        max_length=limits.NAMESPACE_LENGTH,
        pattern=r"^\S+$",
        description="namespace of the API's tasks, and of a worker's tasks unless "
        "`TASKQ_NAMESPACES` names others",
    )
    max_retries: int = Field(
        3,
        ge=0,
        le=limits.RETRIES,
        description="default number of retries, when neither the task nor its handler sets one",
    )
    timeout_seconds: float = Field(
        300.0,
        gt=0,
        le=limits.TIMEOUT_SECONDS,
        description="default time limit of an attempt, when neither the task nor its handler sets "
        "one",
    )
    retention_days: float = Field(
        30.0, gt=0, le=36_500, description="how long finished tasks are kept"
    )
    retention_days_failed: float | None = Field(
        None,
        gt=0,
        le=36_500,
        description="how long failed tasks are kept; empty means as long as all others",
    )
    max_payload_bytes: int = Field(
        262_144, ge=64, le=4_194_304, description="largest payload, as JSON"
    )
    max_payload_values: int = Field(
        50_000,
        ge=16,
        le=1_000_000,
        description="most values of one payload, nested ones included",
    )
    max_result_bytes: int = Field(
        1_048_576, ge=64, le=4_194_304, description="largest result, as JSON"
    )
    max_traceback_bytes: int = Field(8_192, ge=256, le=32_768, description="longest traceback kept")
    max_queues: int = Field(
        10_000, ge=1, le=1_000_000, description="most queues that the tasks of a namespace may use"
    )
    max_tags: int = Field(
        10_000, ge=1, le=1_000_000, description="most tags that the tasks of a namespace may use"
    )
    max_waiting: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="most tasks of a namespace that may wait, queued or to be tried again; empty "
        "means no limit",
    )

    @property
    def retention(self) -> Retention:
        """How long tasks are kept that say nothing of their own."""
        failed = self.retention_days_failed
        kept = timedelta(days=self.retention_days)
        return Retention(kept, kept if failed is None else timedelta(days=failed))

    @field_validator("namespace")
    @classmethod
    def _one_namespace(cls, value: str) -> str:
        if value == ALL_NAMESPACES:
            raise ValueError("name one namespace; a worker of all has TASKQ_NAMESPACES=*")
        return value

"""Bulk operations as plain data: one action on all tasks that a filter finds."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from taskq_client._model import Model
from taskq_client._options import BulkAction as BulkAction
from taskq_client._options import BulkChanges as BulkChanges
from taskq_client._options import TaskFilters as TaskFilters
from taskq_client.models import OpenStatus


class BulkState(StrEnum):
    """How far a bulk operation is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    STOPPED = "stopped"


OpenState = Annotated[BulkState | str, Field(union_mode="left_to_right")]


class BulkCount(Model):
    """How many tasks a filter finds.

    Attributes:
        count: The tasks; a lower bound if it is not exact.
        exact: Whether there are no more.
        by_status: The number of tasks in each status.
    """

    count: int
    exact: bool = True
    by_status: dict[OpenStatus, int] = Field(default_factory=dict)


class BulkOperation(Model):
    """A snapshot of a bulk operation.

    Attributes:
        id: The id of the operation.
        action: What happens to each task: `retry`, `cancel`, `delete` or `update`.
        filter: Which tasks.
        changes: The changes of an update.
        limit: The most tasks that the operation looks at.
        state: How far it is.
        matched: The tasks found so far: the sum of the other three.
        done: The tasks that were changed or deleted.
        skipped: The tasks that the action no longer fitted, that its maker may not run, or whose
            unique key another task has.
        failed: The tasks for which there was no room among those that wait.
        key_id: The key that made it; None where the server asks for none.
        created_at: When it began; it leaves tasks alone that came later.
        finished_at: When it ended, or was stopped.
    """

    id: str
    action: str
    filter: dict[str, Any] = Field(default_factory=dict)
    changes: dict[str, Any] | None = None
    limit: int
    state: OpenState
    matched: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    key_id: str | None = None
    created_at: datetime
    finished_at: datetime | None = None

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def final(self) -> bool:
        """Tell whether the operation has ended or was stopped."""
        return self.finished_at is not None

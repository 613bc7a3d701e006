"""Changes of tasks, as listeners are told of them after the commit."""

from typing import NamedTuple
from uuid import UUID

from taskq_server.domain.task import Attempt, Task


class TaskChanged(NamedTuple):
    """A task was submitted, changed or deleted.

    Attributes:
        before: the task before, perhaps without its payload; None when it was submitted.
        after: the task now; None when it was deleted. Equal to `before` when a caller asked for
            what was so already.
        attempt: the attempt that ended with this change, if one did.
    """

    before: Task | None
    after: Task | None
    attempt: Attempt | None = None


class TaskProgressed(NamedTuple):
    """A running task has stored how far it is."""

    namespace: str
    task_id: UUID

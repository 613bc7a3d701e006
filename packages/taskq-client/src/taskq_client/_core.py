"""Every operation once, as a coroutine that awaits nothing but a channel.

Each class holds what it needs: the sender, and the classes whose operations it combines. The
shells, `_async*.py`, give every operation a signature and a docstring, and
`tools/make_blocking_client.py` makes `_sync*.py` from them.

A noun of the API, such as `client.queues`, is a resource with three parts. The class `Queues` in
`_queues.py` has the coroutines, as `Tasks` does, and `Core` holds one. The shell `AsyncQueues` in
`_async_queues.py` gets the core, as `AsyncTaskHandle` does, and the script makes the blocking
`Queues` in `_sync_queues.py`. A property of `AsyncTaskqClient` returns `AsyncQueues(self._core)`,
because a copy of a client with other options has another core.
"""

from typing import NoReturn, Self

from taskq_client._bulk import Bulk
from taskq_client._history import LookBack
from taskq_client._operations import Operations
from taskq_client._queues import Queues
from taskq_client._runs import Runs
from taskq_client._schedules import Schedules
from taskq_client._sender import RetryingSender
from taskq_client._service import Service
from taskq_client._tasks import Tasks
from taskq_client._waits import Waits
from taskq_client.models import Duration


class Core:
    """The operations of a client by subject; a client and its handles share one.

    Args:
        sender: Sends the requests of all operations.

    Attributes:
        sender: The sender, with the options of the client.
        tasks: Submit, read and change tasks.
        waits: Wait for tasks.
        bulk: Submit tasks in batches.
        runs: Submit a task and take its result.
        operations: Change all tasks that a filter finds.
        look_back: Read what happened lately.
        queues: List queues, pause and resume them.
        schedules: Set, read, pause, resume, fire and delete schedules.
        service: Read handlers, tags, numbers of tasks, workers, the caller, and health.
    """

    __slots__ = (
        *("bulk", "look_back", "operations", "queues", "runs", "schedules", "sender"),
        *("service", "tasks", "waits"),
    )

    def __init__(self, sender: RetryingSender) -> None:
        self.sender = sender
        self.tasks = Tasks(sender)
        self.waits = Waits(sender)
        self.bulk = Bulk(sender, self.waits)
        self.runs = Runs(sender, self.tasks, self.waits)
        self.operations = Operations(sender)
        self.look_back = LookBack(sender)
        self.queues = Queues(sender)
        self.schedules = Schedules(sender)
        self.service = Service(sender)

    def with_options(
        self, timeout: Duration | None, max_retries: int | None, deadline: Duration | None
    ) -> Self:
        """Make a copy with other options; None leaves an option as it is."""
        return type(self)(self.sender.with_options(timeout, max_retries, deadline))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a client and its handles hold connections and do not pickle: "
            "send the task's id, or handle.task, and make a client where it arrives"
        )

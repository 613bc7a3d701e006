"""The ledger of task counts: entries of changes, whose sum is the number of tasks of each place.

A running task counts as queued in the ledger, so that the usual claim changes no count. A reader
of the ledger counts the running tasks, of which there are no more than the workers have room for,
and subtracts them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from taskq_server.domain.task import Status, Task

Place = tuple[str, str, Status]
"""The key of a count: namespace, queue, and status."""


def place(task: Task, status: Status | None = None) -> Place:
    """Return where the ledger counts a task.

    Args:
        task: the task; its namespace and its queue never change.
        status: an earlier status to count it by; None for the present one.
    """
    counted = task.status if status is None else status
    return task.namespace, task.queue, Status.QUEUED if counted is Status.RUNNING else counted


def changes(*, before: Iterable[Place] = (), after: Iterable[Place] = ()) -> dict[Place, int]:
    """Return the amount to add to each count when tasks move between places; zeros are left out.

    Args:
        before: where the tasks were counted; empty for new tasks.
        after: where the tasks are counted now; empty for deleted tasks.
    """
    amounts = Counter(after)
    amounts.subtract(Counter(before))
    return {each: amount for each, amount in amounts.items() if amount}


def by_queue(counted: Mapping[tuple[str, Status], int]) -> dict[str, Counter[Status]]:
    """Return the number of tasks by status for each queue that has any; queues by name.

    Args:
        counted: for each queue the sums of the ledger, and the number of running tasks.
    """
    queues: dict[str, Counter[Status]] = defaultdict(Counter)
    for (queue, status), amount in sorted(counted.items()):
        queues[queue][status] += amount
        if status is Status.RUNNING:
            queues[queue][Status.QUEUED] -= amount
    return {queue: +counts for queue, counts in queues.items() if +counts}

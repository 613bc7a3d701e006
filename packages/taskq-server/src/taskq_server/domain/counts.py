"""How tasks are counted: a ledger of changes, which add up to the tasks of each place.

A running task counts as queued in the ledger, so that the usual claim changes no count. Who reads
the ledger counts what runs, which is never more than the workers have room for, and takes it off.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from taskq_server.domain.task import Status, Task

Place = tuple[str, str, Status]
"""What is counted together: namespace, queue, and status."""


def place(task: Task, status: Status | None = None) -> Place:
    """Return where the ledger counts a task.

    Args:
        task: the task; its namespace and its queue never change.
        status: one that it had, instead of the one it has.
    """
    counted = task.status if status is None else status
    return task.namespace, task.queue, Status.QUEUED if counted is Status.RUNNING else counted


def changes(*, before: Iterable[Place] = (), after: Iterable[Place] = ()) -> dict[Place, int]:
    """Return what moving tasks from some places to others adds to each count; nothing for zero.

    Args:
        before: where the tasks were counted; none, for new ones.
        after: where they are counted now; none, for those that are gone.
    """
    amounts = Counter(after)
    amounts.subtract(Counter(before))
    return {each: amount for each, amount in amounts.items() if amount}


def by_queue(counted: Mapping[tuple[str, Status], int]) -> dict[str, Counter[Status]]:
    """Return the tasks of each queue that has any, by status; queues by name.

    Args:
        counted: for each queue the sums of the ledger, and what runs.
    """
    queues: dict[str, Counter[Status]] = defaultdict(Counter)
    for (queue, status), amount in sorted(counted.items()):
        queues[queue][status] += amount
        if status is Status.RUNNING:
            queues[queue][Status.QUEUED] -= amount
    return {queue: +counts for queue, counts in queues.items() if +counts}

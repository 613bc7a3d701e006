"""The ledger of task counts: entries of changes, whose sum is the number of tasks of each place.

A running task counts as queued in the ledger, so that the usual claim changes no count. A reader
of the ledger counts the running tasks, of which there are no more than the workers have room for,
and subtracts them.

The entries of tasks whose attempts ended also say in which minute, with which outcome, and how long
the attempts ran. When the minute is over, that moves on into the history of minutes, once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.minutes import NO_ENDS, Ends, EndsOfMinutes, QueueMinute, minute_of
from taskq_server.domain.task import Outcome, Status, Task

Place = tuple[str, str, Status]
"""The key of a count: namespace, queue, and status."""

_Kind = tuple[str, str, Status, Status, Outcome, datetime]
"""Namespace, queue, statuses before and after, outcome, and the moment of the end."""


class Entry(NamedTuple):
    """A row of the ledger: by how many tasks a transaction changed a count.

    Attributes:
        namespace: of the tasks.
        queue: of the tasks.
        status: of the tasks.
        amount: negative if the tasks left the place.
        outcome: how their attempts ended; None if no attempts ended.
        minute: in which minute the attempts ended; None if no attempts ended.
        run_milliseconds: the sum of the run times of the attempts; None if no attempts ended.
    """

    namespace: str
    queue: str
    status: Status
    amount: int
    outcome: Outcome | None = None
    minute: int | None = None
    run_milliseconds: int | None = None

    @property
    def place(self) -> Place:
        """The key of the count."""
        return self.namespace, self.queue, self.status


class _End(NamedTuple):
    """What the attempts of one entry have in common."""

    namespace: str
    queue: str
    status: Status
    outcome: Outcome
    minute: int

    def entry(self, ends: Ends) -> Entry:
        return Entry(
            self.namespace,
            self.queue,
            self.status,
            ends.number,
            self.outcome,
            self.minute,
            ends.run_milliseconds,
        )


def place(task: Task, status: Status | None = None) -> Place:
    """Return where the ledger counts a task.

    Args:
        task: the task; its namespace and its queue never change.
        status: an earlier status to count it by; None for the present one.
    """
    return task.namespace, task.queue, _counted(task.status if status is None else status)


def _counted(status: Status) -> Status:
    return Status.QUEUED if status is Status.RUNNING else status


def changes(*, before: Iterable[Place] = (), after: Iterable[Place] = ()) -> dict[Place, int]:
    """Return the amount to add to each count when tasks move between places; zeros are left out.

    Args:
        before: where the tasks were counted; empty for new tasks.
        after: where the tasks are counted now; empty for deleted tasks.
    """
    amounts = Counter(after)
    amounts.subtract(Counter(before))
    return {each: amount for each, amount in amounts.items() if amount}


def entries(amounts: Mapping[Place, int]) -> list[Entry]:
    """Return the entries that add these amounts to the counts."""
    return [Entry(*counted, amount) for counted, amount in amounts.items()]


def entries_of_ends(ended: Iterable[AttemptEnded]) -> list[Entry]:
    """Return the entries of tasks whose attempts ended.

    There is an entry for each queue that the running tasks were counted in, and one for each queue,
    status, outcome and minute now; so usually two for a whole batch.
    """
    # The ends of a batch are mostly alike, so what follows from one is found once for all.
    alike: defaultdict[_Kind, list[int]] = defaultdict(list)
    for each in ended:
        task, attempt = each.task, each.attempt
        kind = task.namespace, task.queue, each.before.status, task.status, attempt.outcome
        # The clock of one server may be a little behind that of another, which claimed the task.
        run = max(0, round(each.run_time.total_seconds() * 1_000))
        alike[*kind, attempt.finished_at].append(run)
    left: Counter[Place] = Counter()
    ends: dict[_End, Ends] = {}
    for (namespace, queue, before, after, outcome, moment), runs in alike.items():
        left[namespace, queue, _counted(before)] -= len(runs)
        end = _End(namespace, queue, _counted(after), outcome, minute_of(moment))
        ends[end] = ends.get(end, NO_ENDS).plus(len(runs), sum(runs))
    return [*entries(left), *(end.entry(sums) for end, sums in ends.items())]


def compacted(rows: Iterable[Entry], now: int) -> tuple[list[Entry], EndsOfMinutes]:
    """Return the entries that stand for these, and what ended in minutes that are over.

    What ended in a minute that is over is left out of the entries, so that it is told only once;
    what ended in the present minute is summed up, and told another time.

    Args:
        rows: entries of the ledger.
        now: the present minute.
    """
    amounts: Counter[Place] = Counter()
    present: dict[_End, Ends] = {}
    over: defaultdict[QueueMinute, dict[Outcome, Ends]] = defaultdict(dict)
    for row in rows:
        if row.outcome is None or row.minute is None:
            amounts[row.place] += row.amount
            continue
        run = row.run_milliseconds or 0
        if row.minute < now:
            amounts[row.place] += row.amount
            of_minute = over[QueueMinute(row.namespace, row.minute, row.queue)]
            of_minute[row.outcome] = of_minute.get(row.outcome, NO_ENDS).plus(row.amount, run)
        else:
            end = _End(*row.place, row.outcome, row.minute)
            present[end] = present.get(end, NO_ENDS).plus(row.amount, run)
    left = entries({place: amount for place, amount in amounts.items() if amount})
    return [*left, *(end.entry(sums) for end, sums in present.items())], over


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

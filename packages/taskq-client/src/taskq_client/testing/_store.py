"""The state of the fake server: its tasks, scripts, idempotency keys and time.

The lock is held briefly, and never while code of the user's runs, because scripts and the clock may
use the fake themselves, and wait for threads that do.
"""

import copy
import heapq
import math
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from taskq_client.testing._handlers import Handlers
from taskq_client.testing._keys import Keys
from taskq_client.testing._problems import Problem, not_found
from taskq_client.testing._steps import BUILT_IN, AttemptResult, Failure, Script, run_script
from taskq_client.testing._task import WAITING, FakeTask, moment, wire
from taskq_client.testing._unique import UniqueKeys, leaders, replaced

if TYPE_CHECKING:  # it submits tasks to a store
    from taskq_client.testing._schedules import FakeSchedule

DEEPEST = 500


class Planned(Protocol):
    """What makes a transition when it is due."""

    fields: dict[str, Any]

    @property
    def due(self) -> datetime | None:
        """When the transition is due."""

    def transition(self) -> bool:
        """Make the transition; return whether the script of a task is to be called."""


class Submitted(NamedTuple):
    """What a submit has stored or found.

    Attributes:
        tasks: For each item.
        replayed: Whether its idempotency key had submitted them before.
        conflicts: How many of them have the unique key of an item, and were there before it.
    """

    tasks: list[FakeTask]
    replayed: bool
    conflicts: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say so."""
        found = {"idempotency-replayed": self.replayed, "unique-conflict": self.conflicts}
        return {name: "true" for name, is_so in found.items() if is_so}

    @property
    def status(self) -> int:
        """The status of the answer: whether any task is new."""
        return 200 if self.replayed or self.conflicts == len(self.tasks) else 201


class FakeStore:
    """The tasks of the fake, and the clock that makes them due.

    Attributes:
        keys: Who may ask for what.
        unique: Which tasks have which unique keys.
        sources: By the name of a handler, what checks its payloads and describes it.
        defaults: By the name of a handler, what the test says about its tasks.
        born: The time at which it was made.
        activity: Counts the requests that are no waits, and the scripts that have ended.
        schedules: By name; what is planned of one that was deleted is not due any more.
        queues: By name, since when a queue is paused, and why; None after it was resumed.
        idle_at: The value of `activity` when no other caller had been active for long.

    Args:
        clock: The time as it passes by itself, aware UTC; the store adds the time that was skipped.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._skipped = timedelta()
        self._keys: dict[tuple[str, int], tuple[str, FakeTask]] = {}
        self._agenda: list[tuple[datetime, str, int, Planned]] = []
        self._planned = 0
        self._inside = threading.local()
        self.lock = threading.RLock()
        self.born = self.now
        self.keys = Keys()
        self.unique = UniqueKeys()
        self.activity, self.idle_at = 0, -1
        self.tasks: dict[str, FakeTask] = {}
        self.queues: dict[str, dict[str, str | None]] = {}
        self._held: list[FakeTask] = []
        self.scripts: dict[str, Script] = dict(BUILT_IN)
        self.sources: dict[str, Handlers] = {}
        self.defaults: dict[str, dict[str, Any]] = {}
        self.stored: list[FakeTask] = []
        self.operations: dict[str, Any] = {}
        self.operation_keys: dict[str, tuple[str, Any]] = {}
        self.schedules: dict[str, FakeSchedule] = {}

    @property
    def now(self) -> datetime:
        """The time at the fake server."""
        return self._clock() + self._skipped

    @property
    def fields(self) -> list[dict[str, Any]]:
        """The tasks on the wire, in the order of their submits."""
        with self.lock:
            return [task.fields for task in self.tasks.values()]

    def task(self, task_id: str) -> FakeTask:
        """Find a task."""
        if task_id not in self.tasks:
            raise not_found(task_id)
        return self.tasks[task_id]

    def submit(
        self,
        items: Sequence[dict[str, Any]],
        key: str | None,
        body: str,
        now: datetime,
        parent: FakeTask | None = None,
        submitted_by: str | None = None,
        *,
        is_batch: bool = False,
    ) -> Submitted:
        """Store tasks, or find those of their keys.

        Args:
            items: The fields of the new tasks, without their ids, and `on_conflict` of each.
            key: The idempotency key, if there is one.
            body: The body that the key stands for.
            now: The time of the submit.
            parent: The task whose handler submits; None if this thread knows it.
            submitted_by: The id of the caller's key, if it has one.
            is_batch: Whether the items came as a batch.
        """
        known = [
            None if key is None else self._keys.get((key, position))
            for position in range(len(items))
        ]
        if any(one is not None and one[0] != body for one in known):
            detail = "this idempotency key was used before, with another body"
            raise Problem("idempotency-mismatch", detail)
        replayed = any(known)
        # When a batch comes again, the first of equal unique keys speaks for the others.
        leads = leaders(items) if replayed else list(range(len(items)))
        new = {n: item for n, item in enumerate(items) if leads[n] == n and known[n] is None}
        self.unique.check_submit(new, is_batch=is_batch)
        by = submitted_by if parent is None else parent.submitted_by
        tasks: list[FakeTask] = []
        conflicts = 0
        for position, item in enumerate(items):
            found, holder = known[leads[position]], self.unique.task(item["unique_key"])
            if found is not None:
                tasks.append(found[1])
            elif leads[position] != position:
                conflicts += 1
                tasks.append(tasks[leads[position]])
            elif holder is not None:
                conflicts += 1
                if replaced(holder, item):
                    holder.replace(item["payload"], item["run_at"], now)
                tasks.append(holder)
            else:
                tasks.append(self._store(item, now, parent, by))
                if key is not None:
                    self._keys[key, position] = (body, tasks[-1])
        return Submitted(tasks, replayed, conflicts)

    def delete(self, task: FakeTask) -> None:
        """Forget a task, with its keys."""
        task.check_deletable()
        self.unique.free(task)
        task.due = None
        del self.tasks[task.fields["id"]]
        self._keys = {place: held for place, held in self._keys.items() if held[1] is not task}

    def retry(self, task: FakeTask, now: datetime) -> None:
        """Queue a final task again, with its unique key."""
        task.check_retry()
        self.unique.check_retry(task)
        task.retry(now)
        self.unique.take(task)

    def run_due(self) -> None:
        """Make all transitions that are due, in their order."""
        while True:
            now = self.now
            with self.lock:
                for schedule in self.schedules.values():
                    schedule.submit_queued()
                task = self._next(now)
                if task is None:
                    return
                if (
                    isinstance(task, FakeTask) and task.is_final
                ):  # it has been kept for as long as it said
                    self.delete(task)
                    continue
                is_claimed = task.transition()
                fields = task.fields
            if is_claimed and isinstance(task, FakeTask):
                self._call(task, copy.deepcopy(fields))

    def advance(self, seconds: float) -> None:
        """Let time pass, and make all transitions that become due, in their order."""
        self.go_to(self.now + timedelta(microseconds=math.ceil(seconds * 1e6)))

    def go_to(self, when: datetime) -> None:
        """Let time pass up to a moment, and make all transitions due by then, in their order."""
        while True:
            self.run_due()
            with self.lock:
                task = self._next(when)
            if task is None or task.due is None:
                break
            self._skip_to(task.due)
        self._skip_to(when)

    def pause(self, queue: str, note: str | None) -> None:
        """Let no task of a queue start; a note that is None leaves that of an earlier pause."""
        row = self.queues.setdefault(queue, {"paused_at": None, "note": None})
        row["paused_at"] = row["paused_at"] or wire(self.now)
        row["note"] = row["note"] if note is None else note

    def resume(self, queue: str) -> None:
        """Let a queue go on."""
        if queue in self.queues:
            self.queues[queue] = {"paused_at": None, "note": None}
        held = [task for task in self._held if task.fields["queue"] == queue]
        self._held = [task for task in self._held if task not in held]
        for task in held:
            if task.due is not None:
                task.due = max(task.due, self.now)

    def is_paused(self, queue: str) -> bool:
        """Whether a queue is paused."""
        return queue in self.queues and self.queues[queue]["paused_at"] is not None

    def oldest_age(self, queue: str) -> float | None:
        """Return for how many seconds the oldest due task of a queue has been due.

        A due task runs at once, unless its queue is paused.
        """
        waiting = [
            task.fields["run_at"] or task.fields["created_at"]
            for task in self.tasks.values()
            if task.fields["queue"] == queue and task.status in WAITING
        ]
        oldest = moment(min(waiting, default=None))
        if oldest is None or oldest > self.now:
            return None
        whole = oldest.replace(microsecond=oldest.microsecond // 1000 * 1000)
        return (self.now - whole).total_seconds()

    def moves(self, task: FakeTask) -> bool:
        """Whether a task goes on by itself, because it does not wait in a paused queue."""
        return task.status not in WAITING or not self.is_paused(task.fields["queue"])

    def _next(self, until: datetime) -> Planned | None:
        """Return what makes the transition that is due next, if it is due by then."""
        while self._agenda and self._agenda[0][0] <= until:
            due, *_, task = self._agenda[0]
            if task.due == due:
                if not isinstance(task, FakeTask) or self.moves(task):
                    return task
                self._held.append(task)
            heapq.heappop(self._agenda)
        return None

    def plan(self, task: Planned, when: datetime) -> None:
        """Plan a transition; it is made if it is still due at that time then."""
        self._planned += 1
        heapq.heappush(self._agenda, (when, task.fields.get("id", "~"), self._planned, task))

    def _skip_to(self, when: datetime) -> None:
        skipped = when - self._clock()
        with self.lock:
            self._skipped = max(self._skipped, skipped)

    def _call(self, task: FakeTask, fields: dict[str, Any]) -> None:
        """Call the script of a task, which decides how its attempt goes on."""
        callers, skipped = self._callers, self._skipped
        result = AttemptResult(failure=Failure("KeyboardInterrupt", "", fatal=True))
        callers.append(task)
        try:
            result = run_script(task.script, fields)
        finally:
            callers.pop()
            with self.lock:
                task.begin(fields["attempt"], result, self._skipped - skipped)
            self.activity += 1

    @property
    def _callers(self) -> list[FakeTask]:
        """The tasks whose scripts this thread runs, the innermost last."""
        inside: list[FakeTask] = self._inside.__dict__.setdefault("tasks", [])
        return inside

    def _store(
        self,
        item: dict[str, Any],
        now: datetime,
        parent: FakeTask | None,
        submitted_by: str | None,
    ) -> FakeTask:
        number = len(self.stored) + 1
        task_id = f"{number:08x}-0000-7000-8000-{number:012x}"
        is_due = item["run_at"] is None or item["run_at"] <= wire(now)
        parent = parent or (self._callers[-1] if self._callers else None)
        depth = parent.depth + 1 if is_due and parent else 0
        if depth > DEEPEST:
            raise RuntimeError("a handler submits tasks that submit tasks without end")
        script = self.scripts[item["handler"]]
        fields = {name: value for name, value in item.items() if name != "on_conflict"}
        task = FakeTask({"id": task_id, **fields}, script, now, depth, self.plan)
        task.submitted_by = submitted_by
        self.unique.take(task)
        self.tasks[task_id] = task
        self.stored.append(task)
        return task

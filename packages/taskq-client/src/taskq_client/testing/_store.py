"""What the fake remembers: its tasks, its scripts, its keys and its time.

The lock is held for moments only, and never while code of the user's runs: scripts and the clock
may use the fake themselves, and wait for threads that do.
"""

import copy
import heapq
import math
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from taskq_client.testing._problems import Problem, not_found
from taskq_client.testing._steps import BUILT_IN, Ending, Failure, Script, play
from taskq_client.testing._task import Life, wire

DEEPEST = 500


class World:
    """The state of the fake.

    Attributes:
        news: Grows with each request that is no wait, and with each end of a script.
        quiet_at: What `news` was when nothing had come for so long that nobody else was there.

    Args:
        clock: The time as it passes by itself, aware UTC; the world adds what was skipped.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._skipped = timedelta()
        self._keys: dict[tuple[str, int], tuple[str, Life]] = {}
        self._agenda: list[tuple[datetime, str, int, Life]] = []
        self._planned = 0
        self._inside = threading.local()
        self.lock = threading.RLock()
        self.news, self.quiet_at = 0, -1
        self.lives: dict[str, Life] = {}
        self.scripts: dict[str, Script] = dict(BUILT_IN)
        self.stored: list[Life] = []

    @property
    def now(self) -> datetime:
        """The time in this world."""
        return self._clock() + self._skipped

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """The tasks on the wire, in the order they were submitted."""
        with self.lock:
            return [life.fields for life in self.lives.values()]

    def life(self, task_id: str) -> Life:
        """Find a task."""
        if task_id not in self.lives:
            raise not_found(task_id)
        return self.lives[task_id]

    def submit(
        self, items: Sequence[dict[str, Any]], key: str | None, body: str, now: datetime
    ) -> tuple[list[Life], bool]:
        """Store tasks, or find those of the key; say which of the two.

        Args:
            items: The tasks as they begin, but for their ids.
            key: The idempotency key, if there is one.
            body: What the key stands for.
            now: When.
        """
        if key is None:
            return [self._store(item, now) for item in items], False
        places = [(key, position) for position in range(len(items))]
        held = [self._keys[place] for place in places if place in self._keys]
        if any(first != body for first, _ in held):
            detail = "this idempotency key was used before, with another body"
            raise Problem("idempotency-mismatch", detail)
        for place, item in zip(places, items, strict=True):
            if place not in self._keys:
                self._keys[place] = (body, self._store(item, now))
        return [self._keys[place][1] for place in places], bool(held)

    def delete(self, life: Life) -> None:
        """Forget a task, with its idempotency key."""
        life.check_deletable()
        life.due = None
        del self.lives[life.fields["id"]]
        self._keys = {place: held for place, held in self._keys.items() if held[1] is not life}

    def settle(self) -> None:
        """Let happen what is due, in its order."""
        while True:
            now = self.now
            with self.lock:
                life = self._next(now)
                if life is None:
                    return
                is_claimed = life.happen()
                fields = life.fields
            if is_claimed:
                self._call(life, copy.deepcopy(fields["payload"]), fields["attempt"])

    def advance(self, seconds: float) -> None:
        """Let time pass, with all that happens meanwhile, in its order."""
        self.go_to(self.now + timedelta(microseconds=math.ceil(seconds * 1e6)))

    def go_to(self, when: datetime) -> None:
        """Let time pass up to a moment, with all that happens meanwhile, in its order."""
        while True:
            self.settle()
            with self.lock:
                life = self._next(when)
            if life is None or life.due is None:
                break
            self._skip_to(life.due)
        self._skip_to(when)

    def _next(self, until: datetime) -> Life | None:
        """Return the task to which something happens next, if that is soon enough."""
        while self._agenda and self._agenda[0][0] <= until:
            due, *_, life = self._agenda[0]
            if life.due == due:
                return life
            heapq.heappop(self._agenda)
        return None

    def _plan(self, life: Life, when: datetime) -> None:
        self._planned += 1
        heapq.heappush(self._agenda, (when, life.fields["id"], self._planned, life))

    def _skip_to(self, when: datetime) -> None:
        skipped = when - self._clock()
        with self.lock:
            self._skipped = max(self._skipped, skipped)

    def _call(self, life: Life, payload: dict[str, Any], attempt: int) -> None:
        """Call the script of a life, which says how its attempt goes on."""
        callers, skipped = self._callers, self._skipped
        ending = Ending(failure=Failure("KeyboardInterrupt", "", fatal=True))
        callers.append(life)
        try:
            ending = play(life.script, payload, attempt)
        finally:
            callers.pop()
            with self.lock:
                life.begin(attempt, ending, self._skipped - skipped)
            self.news += 1

    @property
    def _callers(self) -> list[Life]:
        """The tasks whose scripts this thread is in, the innermost last."""
        inside: list[Life] = self._inside.__dict__.setdefault("lives", [])
        return inside

    def _store(self, item: dict[str, Any], now: datetime) -> Life:
        number = len(self.stored) + 1
        task_id = f"{number:08x}-0000-7000-8000-{number:012x}"
        is_due = item["run_at"] is None or item["run_at"] <= wire(now)
        depth = self._callers[-1].depth + 1 if is_due and self._callers else 0
        if depth > DEEPEST:
            raise RuntimeError("a scripted function submits tasks that submit tasks without end")
        script = self.scripts[item["handler"]]
        life = Life({"id": task_id, **item}, script, now, depth, self._plan)
        self.lives[task_id] = life
        self.stored.append(life)
        return life

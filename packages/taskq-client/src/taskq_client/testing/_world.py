"""What the fake remembers: its tasks, its scripts, its keys and its time."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from taskq_client.testing._life import Life
from taskq_client.testing._problems import Problem, not_found
from taskq_client.testing._schemas import NewTask
from taskq_client.testing._steps import BUILT_IN, Script


class World:
    """The state of the fake.

    Args:
        clock: The time as it passes by itself, aware UTC; the world adds what was skipped.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._skipped = timedelta()
        self._keys: dict[str, tuple[bytes, list[Life]]] = {}
        self.lives: dict[str, Life] = {}
        self.scripts: dict[str, Script] = dict(BUILT_IN)
        self.stored: list[Life] = []

    @property
    def now(self) -> datetime:
        """The time in this world."""
        return self._clock() + self._skipped

    def life(self, task_id: str) -> Life:
        """Find a task."""
        if task_id not in self.lives:
            raise not_found(task_id)
        return self.lives[task_id]

    def submit(
        self, items: Sequence[NewTask], key: str | None, body: bytes, prefix: str
    ) -> tuple[list[Life], bool]:
        """Store tasks, or find those of the key; say which of the two.

        Args:
            items: The tasks.
            key: The idempotency key, if there is one.
            body: What the key stands for.
            prefix: Where an item is in the body, with a place for its number.
        """
        if key in self._keys:
            first, lives = self._keys[key]
            if first != body:
                detail = "this idempotency key was used before, with another body"
                raise Problem(422, "idempotency-mismatch", detail)
            return lives, True
        self._check_handlers(items, prefix)
        lives = [self._store(item) for item in items]
        if key is not None:
            self._keys[key] = (body, lives)
        return lives, False

    def advance(self, seconds: float) -> None:
        """Let time pass, with all that happens meanwhile, in its order."""
        self._skipped += timedelta(seconds=seconds)
        self.settle()

    def settle(self) -> None:
        """Let happen what is due."""
        while (next_one := self._next(self.lives.values())) is not None and next_one[0] <= self.now:
            next_one[1].happen()

    def skip(self, lives: Iterable[Life], seconds: float) -> None:
        """Go on until one of these tasks is final, if it will be within some seconds.

        So who waits for what happens soon does not wait at all.
        """
        self.settle()
        until, wanted = self.now + timedelta(seconds=seconds), list(lives)
        while not any(life.next_event is None for life in wanted):
            found = self._next(wanted)
            if found is None or found[0] > until:
                return
            self.advance(max(0.0, (found[0] - self.now).total_seconds()))

    def _next(self, lives: Iterable[Life]) -> tuple[datetime, Life] | None:
        coming = [(life.next_event, life) for life in lives]
        events = [(moment, life) for moment, life in coming if moment is not None]
        return min(events, key=lambda event: event[0], default=None)

    def _check_handlers(self, items: Sequence[NewTask], prefix: str) -> None:
        errors = []
        for number, item in enumerate(items):
            if item.handler not in self.scripts:
                detail = f"no worker has published a handler called {item.handler}"
                pointer = f"{prefix.format(number)}/handler"
                errors.append({"pointer": pointer, "code": "unknown-handler", "detail": detail})
        if errors:
            raise Problem(422, "unknown-handler", errors[0]["detail"], errors)

    def _store(self, new: NewTask) -> Life:
        number = len(self.stored) + 1
        task_id = f"{number:08x}-0000-7000-8000-{number:012x}"
        life = Life(task_id, new, self.scripts[new.handler], self.now)
        self.lives[task_id] = life
        self.stored.append(life)
        return life

"""The life of one fake task: the server's status machine over time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from taskq_client.testing._problems import conflict
from taskq_client.testing._schemas import Changes, NewTask
from taskq_client.testing._steps import Script, Step

FINAL = frozenset({"succeeded", "failed", "cancelled"})
WAITING = frozenset({"queued", "retrying"})
BACKOFF_BASE, BACKOFF_MAX = 1.0, 300.0
UNTIL_FINAL = frozenset({"priority", "max_retries", "timeout_seconds"})


class Life:
    """A task, what it went through, and when something happens next.

    Attributes:
        fields: The task on the wire, as it is now.
        states: Every state it had, oldest first.
        attempts: Its ended attempts, oldest first.
    """

    def __init__(self, task_id: str, new: NewTask, script: Script, now: datetime) -> None:
        self._script = script
        self._step: Step | None = None
        self._due = new.run_at or now + timedelta(seconds=new.delay_seconds or 0)
        self.attempts: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.fields: dict[str, Any] = {
            **new.model_dump(exclude={"delay_seconds", "run_at"}),
            "id": task_id,
            "title": new.title or new.handler,
            "status": "queued",
            "tags": sorted(set(new.tags)),
            "run_at": _wire(self._due) if self._due > now else None,
            "timeout_seconds": new.timeout_seconds or 300.0,
            "max_retries": 3 if new.max_retries is None else new.max_retries,
            "current_retry_count": 0,
            "attempt": 0,
            "errors": [],
            "progress": None,
            "result": None,
            "worker_id": None,
            "cancel_requested_at": None,
            "version": 0,
            "created_at": _wire(now),
            "started_at": None,
            "finished_at": None,
        }
        self._change(now)

    @property
    def status(self) -> str:
        """Where it stands."""
        status: str = self.fields["status"]
        return status

    @property
    def next_event(self) -> datetime | None:
        """When something happens by itself; None after its end."""
        return None if self.status in FINAL else self._due

    def happen(self) -> None:
        """Let happen what is due next, at its time."""
        now = self._due
        if self.status in WAITING:
            self._claim(now)
        elif self._step is not None:
            self._end(now, self._step)

    def cancel(self, now: datetime) -> None:
        """Cancel it; a running one stops at once."""
        if self.status in ("succeeded", "failed"):
            raise conflict(f"the task has {self.status}")
        if self.status == "running":
            self.fields["cancel_requested_at"] = _wire(now)
            self._record(now, "cancelled")
        if self.status != "cancelled":
            self._change(now, status="cancelled", run_at=None, finished_at=_wire(now))

    def retry(self, now: datetime) -> None:
        """Queue it again."""
        if self.status not in ("failed", "cancelled"):
            raise conflict(f"the task is {self.status}")
        self._due = now
        fresh = {"result": None, "progress": None, "started_at": None, "finished_at": None}
        self._change(now, status="queued", current_retry_count=0, cancel_requested_at=None, **fresh)

    def update(self, changes: Changes, now: datetime) -> None:
        """Change what its status allows."""
        given = changes.model_dump(exclude_unset=True)
        if self.status in FINAL and given.keys() & UNTIL_FINAL:
            raise conflict(f"the task has {self.status}")
        if "run_at" in given and self.status not in WAITING:
            raise conflict(f"the task is {self.status}")
        if "run_at" in given:
            self._due = given["run_at"] or now
            given["run_at"] = _wire(self._due) if self._due > now else None
        defaults: dict[str, Callable[[], Any]] = {
            "title": lambda: self.fields["handler"],
            "tags": list,
            "priority": lambda: "normal",
            "max_retries": lambda: 3,
            "timeout_seconds": lambda: 300.0,
        }
        for name, value in given.items():
            if value is None and name in defaults:
                given[name] = defaults[name]()
        if "tags" in given:
            given["tags"] = sorted(set(given["tags"]))
        self._change(now, **given)

    def _claim(self, now: datetime) -> None:
        attempt = self.fields["attempt"] + 1
        self._change(
            now, status="running", run_at=None, attempt=attempt, started_at=_wire(now),
            worker_id="019aa1c0-11d4-7a52-9c44-1f0b7d6e2a35",
        )  # fmt: skip
        self._step = self._script(self.fields["payload"], attempt)
        for progress in self._step.progress:
            self._change(now, progress=progress.model_dump())
        limit = self.fields["timeout_seconds"]
        if self._step.seconds > limit:
            self._step = Step(error=TimeoutError(f"longer than {limit:g} s"), seconds=limit)
        self._due = now + timedelta(seconds=self._step.seconds)

    def _end(self, now: datetime, step: Step) -> None:
        if step.error is None:
            self._record(now, "succeeded")
            self._change(now, status="succeeded", result=step.result, finished_at=_wire(now))
            return
        outcome = "timed_out" if isinstance(step.error, TimeoutError) else "failed"
        retries = self.fields["current_retry_count"]
        if step.fatal or retries >= self.fields["max_retries"]:
            self._record(now, outcome, step.error)
            self._change(now, status="failed", finished_at=_wire(now))
            return
        self._due = now + self._backoff(retries)
        self._record(now, outcome, step.error, _wire(self._due))
        self._change(
            now, status="retrying", current_retry_count=retries + 1, run_at=_wire(self._due)
        )

    def _backoff(self, retries: int) -> timedelta:
        base = self.fields["backoff_base_seconds"]
        most = self.fields["backoff_max_seconds"]
        bound = (BACKOFF_BASE if base is None else base) * 2.0**retries
        return timedelta(seconds=min(bound, BACKOFF_MAX if most is None else most))

    def _record(
        self,
        now: datetime,
        outcome: str,
        error: Exception | None = None,
        retry_at: str | None = None,
    ) -> None:
        ended = {
            "attempt": self.fields["attempt"],
            "outcome": outcome,
            "type": type(error).__name__ if error else None,
            "message": str(error) if error else None,
            "traceback": f"{type(error).__name__}: {error}" if error else None,
            "worker_id": self.fields["worker_id"],
            "started_at": self.fields["started_at"],
            "finished_at": _wire(now),
            "retry_at": retry_at,
        }
        self.attempts.append(ended)
        if error:
            self.fields["errors"] = [*self.fields["errors"], ended]
        self.fields["worker_id"] = None

    def _change(self, now: datetime, **changes: Any) -> None:
        version = self.fields["version"] + 1
        self.fields = {**self.fields, **changes, "version": version, "updated_at": _wire(now)}
        self.states.append(self.fields)


def _wire(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

"""A task of the fake server: the status machine over time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import get_ident
from typing import Any

from taskq_client.testing._problems import conflict
from taskq_client.testing._steps import AttemptResult, Failure, Script

FINAL = frozenset({"succeeded", "failed", "cancelled"})
WAITING = frozenset({"queued", "retrying"})
WORKER_ID, WORKER_NAME = "019aa1c0-11d4-7a52-9c44-1f0b7d6e2a35", "fake:1"
BACKOFF_BASE, BACKOFF_MAX = 1.0, 300.0
UNTIL_FINAL = frozenset({"priority", "max_retries", "timeout_seconds"})


class FakeTask:
    """A task with its history, and the time of its next transition.

    The caller of a method holds the lock of the store; the store calls scripts without it.

    Attributes:
        fields: The task on the wire, as it is now.
        states: Every state of the task, oldest first.
        attempts: The ended attempts, oldest first.
        script: Decides how an attempt goes.
        depth: The length of the chain of scripts that submitted this task without a pause.
        caller: The thread that calls the script.
        submitted_by: The id of the key that has submitted it, or its parent.

    Args:
        fields: The task as it was submitted.
        script: The script of its handler.
        now: The time of the submit.
        depth: The attribute of that name.
        plan: Called with each new time at which a transition is due.
    """

    def __init__(
        self,
        fields: dict[str, Any],
        script: Script,
        now: datetime,
        depth: int,
        plan: Callable[["FakeTask", datetime], None],
    ) -> None:
        self._plan = plan
        self.fields = fields
        self.states: list[dict[str, Any]] = [fields]
        self.attempts: list[dict[str, Any]] = []
        self.script = script
        self.depth = depth
        self.caller: int | None = None
        self.submitted_by: str | None = None
        self._changed_at = now
        self._result = AttemptResult()
        self.due = moment(fields["run_at"]) or now

    @property
    def due(self) -> datetime | None:
        """When the next transition is due; None while the script is called, and after the end.

        After the end of a task that says for how long it is kept it is when the task goes.
        """
        return self._due

    @due.setter
    def due(self, when: datetime | None) -> None:
        self._due = when
        if when is not None:
            self._plan(self, when)

    @property
    def status(self) -> str:
        """The status of the task."""
        status: str = self.fields["status"]
        return status

    @property
    def is_final(self) -> bool:
        """Whether the task has ended."""
        return self.status in FINAL

    @property
    def limit(self) -> datetime:
        """When the time of the running attempt is up."""
        started = moment(self.fields["started_at"]) or self._changed_at
        return started + timedelta(seconds=self.fields["timeout_seconds"])

    def transition(self) -> bool:
        """Make the due transition; return whether it was a claim, so that the script is called."""
        assert self.due is not None
        assert not self.is_final
        now = max(self.due, self._changed_at)  # run_at may lie in the past
        if self.status in WAITING:
            self.caller, self.due = get_ident(), None
            claimed = {"attempt": self.fields["attempt"] + 1, "worker_id": WORKER_ID}
            self._change(now, status="running", started_at=wire(now), **claimed)
            return True
        if self.fields["cancel_requested_at"] is not None:
            self.due = None
            self._record(now, "cancelled")
            self._change(now, status="cancelled", finished_at=wire(now))
        else:
            self._end(now, self._result)
        return False

    def begin(self, attempt: int, result: AttemptResult, spent: timedelta) -> None:
        """Take the result that the script decided on, unless the attempt is over.

        Args:
            attempt: The number of the attempt.
            result: How the attempt goes.
            spent: The time that the script itself has skipped.
        """
        if self.caller is None or self.fields["attempt"] != attempt:
            return
        self.caller = None
        for progress in result.progress:
            self._change(self._changed_at, progress=progress)
        seconds = spent.total_seconds() + result.seconds
        if seconds > self.fields["timeout_seconds"]:
            self.overrun()
        else:
            self._result = result
            self.due = self._changed_at + timedelta(seconds=seconds)

    def overrun(self) -> None:
        """End the running attempt at its time limit."""
        seconds = self.fields["timeout_seconds"]
        message = f"the attempt ran longer than {seconds:g} seconds"
        self._result = AttemptResult(failure=Failure("TimeoutError", message, outcome="timed_out"))
        self.caller, self.due = None, self.limit

    def cancel(self, now: datetime) -> None:
        """Cancel a waiting task at once; ask the worker of a running one to cancel it."""
        if self.status in ("succeeded", "failed"):
            raise conflict(f"a {self.status} task cannot become cancelled")
        if self.status == "running" and self.fields["cancel_requested_at"] is None:
            self.caller, self.due = None, now
            self._change(now, cancel_requested_at=wire(now))
        elif self.status in WAITING:
            self.due = None
            ended = {"finished_at": wire(now), "cancel_requested_at": wire(now)}
            self._change(now, status="cancelled", **ended)

    def check_retry(self) -> None:
        """Raise unless the task has failed or was cancelled."""
        if not self.is_final:
            raise conflict(f"a {self.status} task cannot be retried")
        if self.status == "succeeded":
            raise conflict("a succeeded task cannot become queued")

    def retry(self, now: datetime) -> None:
        """Queue the task again."""
        self.due = now
        fresh = dict.fromkeys(("worker_id", "progress", "cancel_requested_at", "finished_at"))
        self._change(now, status="queued", run_at=wire(now), current_retry_count=0, **fresh)

    def update(self, given: dict[str, Any], now: datetime) -> None:
        """Change the given fields, if the status allows it; values are as on the wire."""
        if self.is_final and (late := sorted(given.keys() & UNTIL_FINAL)):
            raise conflict(f"{', '.join(late)}: the task is {self.status}")
        if "run_at" in given:
            if self.status not in WAITING:
                raise conflict(f"run_at: the task is {self.status}")
            given["run_at"] = given["run_at"] or wire(now)
            self.due = moment(given["run_at"])
        self._change(now, **given)

    def replace(self, payload: Any, run_at: str | None, now: datetime) -> None:
        """Give the waiting task the payload and the start of a newer submit."""
        run_at = run_at or wire(now)
        self.due = moment(run_at)
        self._change(now, payload=payload, run_at=run_at)

    def check_deletable(self) -> None:
        """Raise if the task is running."""
        if self.status == "running":
            raise conflict("a running task cannot be deleted: cancel it first")

    def _end(self, now: datetime, result: AttemptResult) -> None:
        self.due = None
        failure, retries = result.failure, self.fields["current_retry_count"]
        finished = {"finished_at": wire(now)}
        if failure is None:
            self._record(now, "succeeded")
            self._change(now, status="succeeded", result=result.result, **finished)
        elif failure.fatal or retries >= self.fields["max_retries"]:
            self._record(now, failure.outcome, failure)
            self._change(now, status="failed", **finished)
        else:
            pause = failure.retry_after
            self.due = now + (self._backoff(retries) if pause is None else timedelta(seconds=pause))
            again = {"run_at": wire(self.due), "current_retry_count": retries + 1}
            self._record(now, failure.outcome, failure, again["run_at"])
            self._change(now, status="retrying", worker_id=None, **again)

    def _backoff(self, retries: int) -> timedelta:
        base, most = self.fields["backoff_base_seconds"], self.fields["backoff_max_seconds"]
        if most is None:
            most = max(BACKOFF_MAX, base or 0.0)
        return timedelta(seconds=min(most, (BACKOFF_BASE if base is None else base) * 2**retries))

    def _record(
        self,
        now: datetime,
        outcome: str,
        failure: Failure | None = None,
        retry_at: str | None = None,
    ) -> None:
        ended = {
            "attempt": self.fields["attempt"],
            "outcome": outcome,
            "type": failure.type if failure else None,
            "message": failure.message if failure else None,
            "traceback": failure.traceback if failure else None,
            "worker_id": self.fields["worker_id"],
            "worker_name": WORKER_NAME,
            "started_at": self.fields["started_at"],
            "finished_at": wire(now),
            "retry_at": retry_at,
        }
        self.attempts.append(ended)
        if failure:
            self.fields = {**self.fields, "errors": [*self.fields["errors"], ended]}

    def _change(self, now: datetime, **changes: Any) -> None:
        version = self.fields["version"] + 1
        self.fields = {**self.fields, **changes, "version": version, "updated_at": wire(now)}
        self.states.append(self.fields)
        self._changed_at = now
        if changes.get("finished_at") and self.fields["keep_seconds"] is not None:
            self.due = now + timedelta(seconds=self.fields["keep_seconds"])


def wire(when: datetime) -> str:
    """Write a time as the server does."""
    return when.isoformat().replace("+00:00", "Z")


def moment(text: str | None) -> datetime | None:
    """Read a time as the server writes it."""
    return None if text is None else datetime.fromisoformat(text)

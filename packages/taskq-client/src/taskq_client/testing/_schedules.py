"""The schedules of the fake: each fires at its times, when the time of the fake comes to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from taskq_client.testing import _cron
from taskq_client.testing._keys import RUN, Caller
from taskq_client.testing._operations import new_task
from taskq_client.testing._problems import Problem
from taskq_client.testing._store import FakeStore
from taskq_client.testing._task import FakeTask, moment, wire

_OWN = (
    *("cron", "every_seconds", "timezone", "task", "overlap", "catch_up", "catch_up_seconds"),
    *("jitter_seconds", "starts_at", "ends_at"),
)
_TIMES = ("cron", "every_seconds", "timezone", "jitter_seconds", "starts_at", "ends_at")

Fields = dict[str, Any]


class FakeSchedule:
    """A schedule. The caller of a method holds the lock of the store.

    Attributes:
        fields: The schedule on the wire, as it is now.
        due: Its next time; None without one.
        given: What its task is submitted with, without what was left out.

    Args:
        store: Has the tasks.
        name: Its name.
        wanted: What was asked for, with defaults.
        caller: Sets it, and may run what it may run now.
    """

    def __init__(self, store: FakeStore, name: str, wanted: Fields, caller: Caller) -> None:
        now = wire(store.now)
        self._store = store
        self._caller = caller
        self._queued: datetime | None = None
        self._last: FakeTask | None = None
        self.due: datetime | None = None
        self.fields: Fields = {
            "name": name,
            **{key: wanted[key] for key in _OWN},
            "paused": bool(wanted["paused"]),
            "paused_at": now if wanted["paused"] else None,
            "note": wanted["note"],
            "declared": False,
            **dict.fromkeys(("next_fire_at", "last_fire_at", "last_task_id", "last_error")),
            **dict.fromkeys(("fired", "skipped", "missed"), 0),
            "key_id": caller.key_id,
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }
        self._plan()

    @property
    def state(self) -> str:
        """Its version, and the number of times that have passed."""
        fields = self.fields
        return f"{fields['version']}-{fields['fired'] + fields['skipped'] + fields['missed']}"

    def replace(self, wanted: Fields, caller: Caller, *, has_note: bool) -> None:
        """Be what is wanted; a pause and a note of which nothing is said stay."""
        paused = self.fields["paused"] if wanted["paused"] is None else wanted["paused"]
        note = wanted["note"] if has_note else self.fields["note"]
        if self._change({key: wanted[key] for key in _OWN}, paused=paused, note=note):
            self._caller = caller
            self.fields["key_id"] = caller.key_id

    def pause(self, note: str | None) -> None:
        """Fire at no time; a note that is None leaves the one that there is."""
        self._change({}, paused=True, note=self.fields["note"] if note is None else note)

    def resume(self) -> None:
        """Fire from the next time on."""
        if self.fields["paused"]:
            self._change({}, paused=False, note=None)

    def transition(self) -> bool:
        """Do what is to be done at a time."""
        at = self.due or self._store.now
        last, overlap = self._last, self.fields["overlap"]
        if overlap == "allow" or self._has_ended(last):
            self._submit(at, at)
        elif overlap == "skip":
            self._count("skipped")
        else:
            if self._queued is not None:
                self._count("skipped")
            self._queued = at
            if overlap == "cancel" and last is not None:
                last.cancel(at)
        self._plan(at)
        return False

    def submit_queued(self) -> None:
        """Submit the task of the time that waits for the last task, if that has ended."""
        if self._queued is not None and self._has_ended(self._last):
            at, self._queued = self._queued, None
            ended = None if self._last is None else moment(self._last.fields["finished_at"])
            self._submit(at, max(at, ended or self._store.now))

    def fire(self) -> FakeTask:
        """Submit the task now; its next time stays. It belongs to the key of the schedule.

        Raises:
            Problem: The server would refuse the submit, or another task has its unique key.
        """
        now, last = self._store.now, moment(self.fields["last_fire_at"])
        at = now if last is None else max(now, last + datetime.resolution)
        if at == self.due:
            at += datetime.resolution
        item = self._new(at, now)
        self._store.unique.check_fire(item["unique_key"])
        by = self._caller.key_id
        task = self._store.submit([item], None, "", now, submitted_by=by).tasks[0]
        self._count("fired", last_fire_at=wire(at), last_task_id=task.fields["id"], last_error=None)
        self._last = task
        return task

    def _submit(self, at: datetime, now: datetime) -> None:
        """Submit the task of a time, or count why there is none."""
        handler = self.fields["task"]["handler"]
        told: Fields = {}
        try:
            if not self._caller.may_run(handler):
                raise Problem("forbidden", f"this needs a key with the scope {RUN}{handler}")
            item = self._new(at, now)
            newest = max(at, moment(self.fields["last_fire_at"]) or at)
            told = {"last_fire_at": wire(newest), "last_error": None}
            by = self._caller.key_id
            found = self._store.submit([item], None, "", now, submitted_by=by)
        except Problem as problem:
            self._count("missed", **{**told, "last_error": problem.detail})
            return
        if found.conflicts:  # the task that has its unique key stands for it
            self._count("skipped", **told)
            return
        self._last = found.tasks[0]
        self._count("fired", **told, last_task_id=self._last.fields["id"])

    def _new(self, at: datetime, now: datetime) -> Fields:
        """Return the task of a time as it begins."""
        given = {**self.fields["task"], "run_at": None, "delay_seconds": None}
        item = new_task(self._store, {**given, "payload": given["payload"] or {}}, now, None)
        return {**item, "schedule": {"name": self.fields["name"], "fire_at": wire(at)}}

    def _has_ended(self, task: FakeTask | None) -> bool:
        return task is None or task.is_final or task.fields["id"] not in self._store.tasks

    def _count(self, what: str, **told: Any) -> None:
        self.fields = {**self.fields, what: self.fields[what] + 1, **told}

    def _change(self, wanted: Fields, *, paused: bool, note: str | None) -> bool:
        """Be what is wanted; return whether anything changes."""
        before, now = self.fields, wire(self._store.now)
        paused_at = (before["paused_at"] or now) if paused else None
        after = {**before, **wanted, "paused": paused, "paused_at": paused_at, "note": note}
        if after == before:
            return False
        self.fields = {**after, "version": before["version"] + 1, "updated_at": now}
        if paused and self._queued is not None:
            self._queued = None
            self._count("skipped")
        if paused != before["paused"] or any(before[key] != after[key] for key in _TIMES):
            self._plan()
        return True

    def _plan(self, after: datetime | None = None) -> None:
        self.due = None
        if not self.fields["paused"]:
            self.due = _cron.next_after(self.fields, after or self._store.now)
        if self.due is not None:
            self._store.plan(self, self.due)
        at = None if self.due is None else wire(self.due)
        self.fields = {**self.fields, "next_fire_at": at}


def checked(store: FakeStore, caller: Caller, wanted: Mapping[str, Any]) -> Fields:
    """Return what is wanted as it is stored.

    Args:
        store: Has the handlers.
        caller: Wants it.
        wanted: The body of a `PUT`, with defaults.

    Raises:
        Problem: The server would refuse it.
    """
    given = wanted["task"]
    caller.check_may_run({"/task/handler": given["handler"]})
    times = {name: _wired(value) for name, value in wanted.items() if name != "task"}
    _cron.require(times)
    try:
        new_task(store, {**given, "run_at": None, "delay_seconds": None}, store.now, None)
    except Problem as problem:
        within = [{**one, "pointer": f"/task{one['pointer']}"} for one in problem.errors]
        raise Problem(problem.code, problem.detail, within) from None
    return {**times, "task": given}


def _wired(value: Any) -> Any:
    return wire(value) if isinstance(value, datetime) else value

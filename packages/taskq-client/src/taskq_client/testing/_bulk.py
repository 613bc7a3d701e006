"""Bulk operations of the fake: each is worked through at once, a moment after it began."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from taskq_client.testing import _listing
from taskq_client.testing._keys import OPERATE, RUN, WRITE, Caller
from taskq_client.testing._problems import Problem
from taskq_client.testing._store import FakeStore
from taskq_client.testing._task import FakeTask, wire

MOST_RUNNING = 20
MOMENT = timedelta(milliseconds=50)
_RUNS = ("retry", "update")
_STATUSES = ("queued", "running", "retrying", "succeeded", "failed", "cancelled")

Fields = dict[str, Any]


class FakeOperation:
    """A bulk operation.

    Attributes:
        fields: The operation on the wire, as it is now.
        due: When it is worked through; None once it has ended.

    Args:
        store: Has the tasks.
        caller: Makes it, and may run what it may run now.
        body: The request, with defaults.
        given: The request as it came.
    """

    def __init__(self, store: FakeStore, caller: Caller, body: Fields, given: Fields) -> None:
        number, now = len(store.operations) + 1, store.now
        self._store = store
        self._caller = caller
        self._filter: Fields = body["filter"]
        changes = given.get("changes")
        self._changes = None if changes is None else {one: body["changes"][one] for one in changes}
        self._ended_at = {one["id"]: one["finished_at"] for one in store.fields}
        self.fields: Fields = {
            "id": f"{number:08x}-0000-7000-9000-{number:012x}",
            "action": body["action"],
            "filter": _shown(self._filter),
            "changes": None if self._changes is None else _wired(self._changes),
            "limit": body["limit"],
            "state": "running",
            **dict.fromkeys(("matched", "done", "skipped", "failed"), 0),
            "key_id": caller.key_id,
            "created_at": wire(now),
            "finished_at": None,
        }
        self.due: datetime | None = now + MOMENT
        store.plan(self, self.due)

    def transition(self) -> bool:
        """Work through all tasks that were there when it began."""
        now = self.due or self._store.now
        tasks = [task for task in self._store.tasks.values() if self._finds(task)]
        done = sum(self._has_changed(task, now) for task in tasks[: self.fields["limit"]])
        matched = min(len(tasks), self.fields["limit"])
        self.end("succeeded", now, matched=matched, done=done, skipped=matched - done)
        return False

    def end(self, state: str, now: datetime, **numbers: int) -> None:
        """Let it end, with these numbers of tasks."""
        self.due = None
        self.fields = {**self.fields, **numbers, "state": state, "finished_at": wire(now)}

    def _finds(self, task: FakeTask) -> bool:
        return task.fields["id"] in self._ended_at and _listing.passes(task.fields, self._filter)

    def _has_changed(self, task: FakeTask, now: datetime) -> bool:
        fields, action = task.fields, self.fields["action"]
        if task.is_final and fields["finished_at"] != self._ended_at[fields["id"]]:
            return False
        if action in _RUNS and not self._caller.may_run(fields["handler"]):
            return False
        try:
            match action:
                case "retry":
                    self._store.retry(task, now)
                case "cancel":
                    if task.is_final:
                        return False
                    task.cancel(now)
                case "delete":
                    self._store.delete(task)
                case _:
                    self._update(task, now)
        except Problem:
            return False
        return True

    def _update(self, task: FakeTask, now: datetime) -> None:
        assert self._changes is not None, "an update has changes"
        task.update(_wired(self._changes), now)


def check_rights(caller: Caller, action: str) -> None:
    """Raise the problem of the server if the caller has not the scopes of an action."""
    caller.check_may(OPERATE)
    caller.check_may(RUN if action in _RUNS else WRITE)


def begin(
    store: FakeStore, caller: Caller, body: Fields, given: Fields, key: str | None, document: str
) -> tuple[Fields, bool]:
    """Begin an operation, or find that of the key; return it, and whether it was found.

    Args:
        store: Has the operations.
        caller: Makes it.
        body: The request, with defaults.
        given: The request as it came.
        key: The idempotency key, if there is one.
        document: The body that the key stands for.
    """
    with store.lock:
        if key is not None and key in store.operation_keys:
            first, operation = store.operation_keys[key]
            if first != document:
                detail = "the idempotency key was used before, with another body"
                raise Problem("idempotency-mismatch", detail)
            return operation.fields, True
        running = sum(each.due is not None for each in store.operations.values())
        if running >= MOST_RUNNING:
            detail = (
                f"{running} bulk operations run, and no more may at a time: wait until one has "
                "ended, or stop one"
            )
            raise Problem("too-many-operations", detail)
        operation = FakeOperation(store, caller, body, given)
        store.operations[operation.fields["id"]] = operation
        if key is not None:
            store.operation_keys[key] = document, operation
        return operation.fields, False


def count(store: FakeStore, filters: Mapping[str, Any]) -> Fields:
    """Return the answer to a dry run."""
    found = [task["status"] for task in store.fields if _listing.passes(task, filters)]
    by_status = {status: found.count(status) for status in _STATUSES}
    return {"count": len(found), "exact": True, "by_status": by_status}


def found(store: FakeStore, operation_id: str) -> FakeOperation:
    """Find an operation."""
    operation: FakeOperation | None = store.operations.get(operation_id)
    if operation is None:
        raise Problem("operation-not-found", f"there is no bulk operation {operation_id}")
    return operation


def stop(store: FakeStore, operation_id: str) -> Fields:
    """Stop an operation, unless it has ended."""
    operation, now = found(store, operation_id), store.now
    with store.lock:
        if operation.due is not None:
            operation.end("stopped", now)
    return operation.fields


def page(store: FakeStore, query: Mapping[str, Any]) -> Fields:
    """Return one page of operations, the newest first."""
    wanted = sorted(set(query["state"]))
    bound = {"state": wanted}
    after = None if query["cursor"] is None else _listing.read_cursor(query["cursor"], bound)
    all_ = [each.fields for each in reversed(store.operations.values())]
    left = [
        one
        for one in all_
        if (not wanted or one["state"] in wanted) and (after is None or one["id"] < after)
    ]
    items = left[: query["limit"]]
    is_last = len(items) == len(left)
    cursor = None if is_last else _listing.write_cursor(items[-1]["id"], bound)
    return {"items": items, "next_cursor": cursor}


def _shown(filters: Fields) -> Fields:
    given = {name: value for name, value in filters.items() if value not in (None, [])}
    unique = {
        name: list(dict.fromkeys(value)) if isinstance(value, list) else value
        for name, value in given.items()
    }
    return _wired(unique)


def _wired(values: Fields) -> Fields:
    return {
        name: wire(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }

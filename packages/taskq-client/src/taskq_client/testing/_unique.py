"""Unique keys of the fake: who has one, and what a submit becomes that finds it taken."""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from taskq_client.testing._problems import Problem, field
from taskq_client.testing._rules import SCHEMAS
from taskq_client.testing._task import WAITING, FakeTask

LONGEST: int = SCHEMAS["TaskCreate"]["properties"]["unique_key"]["maxLength"]

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_EXACT = 2**53
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


class UniqueKeys:
    """The unique keys of tasks that wait or run, and the tasks that have them."""

    def __init__(self) -> None:
        self._tasks: dict[str, FakeTask] = {}

    def task(self, key: str | None) -> FakeTask | None:
        """Return the task that has a key; None if it is free."""
        found = None if key is None else self._tasks.get(key)
        return None if found is None or found.is_final else found

    def take(self, task: FakeTask) -> None:
        """Let a task have its key, if it has one."""
        if task.fields["unique_key"] is not None:
            self._tasks[task.fields["unique_key"]] = task

    def free(self, task: FakeTask) -> None:
        """Take its key away from a task that is deleted."""
        if self.task(task.fields["unique_key"]) is task:
            del self._tasks[task.fields["unique_key"]]

    def check_retry(self, task: FakeTask) -> None:
        """Raise the problem of the server if another task has the key of a final one by now."""
        holder = self.task(task.fields["unique_key"])
        if holder is not None and holder is not task:
            raise Problem("unique-conflict", _sentence(holder), more={"task": _told(holder)})

    def check_fire(self, key: str | None) -> None:
        """Raise the problem of the server if the key of a schedule's task is taken."""
        holder = self.task(key)
        if holder is not None:
            detail = _sentence(holder)
            error = field("/task/unique_key", "unique-conflict", detail)
            raise Problem("unique-conflict", detail, [error], more={"task": _told(holder)})

    def check_submit(self, items: Mapping[int, Mapping[str, Any]], *, is_batch: bool) -> None:
        """Raise the problem of the server if one of some new tasks is to be refused.

        Args:
            items: The new tasks by their position, of which the first one with a key leads.
            is_batch: Whether they came as a batch.
        """
        leaders: dict[str, int] = {}
        errors: list[Mapping[str, str]] = []
        holders: list[FakeTask] = []
        for position, item in items.items():
            key, holder = item["unique_key"], self.task(item["unique_key"])
            if key is None:
                continue
            leader = leaders.setdefault(key, position)
            handler = items[leader]["handler"] if holder is None else holder.fields["handler"]
            is_free = holder is None and leader == position
            if is_free or not _is_refused(item, handler):
                continue
            where = f"/items/{position}" if is_batch else ""
            detail = f"item {leader} of the batch has the same unique key"
            if holder is not None:
                holders.append(holder)
                detail = _sentence(holder)
                if item["on_conflict"] == "replace":
                    detail += f": its handler is {handler}, so nothing replaces it"
            errors.append(field(f"{where}/unique_key", "unique-conflict", detail))
        if errors:
            told = _told(holders[0]) if holders else None
            many = "unique keys of the batch are taken; nothing was stored"
            detail = many if is_batch else errors[0]["detail"]
            raise Problem("unique-conflict", detail, errors, more={"task": told})


def leaders(items: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return for each of some new tasks the position of the first one with its key."""
    first: dict[object, int] = {}
    keys = [
        position if one["unique_key"] is None else one["unique_key"]
        for position, one in enumerate(items)
    ]
    return [first.setdefault(key, position) for position, key in enumerate(keys)]


def check_pointer(given: str | None) -> None:
    """Raise ValueError if this is no JSON pointer."""
    if given is not None and not _POINTER.fullmatch(given):
        raise ValueError(f"unique_key is a JSON pointer such as /customer_id, not {given!r}")


def replaced(task: FakeTask, item: Mapping[str, Any]) -> bool:
    """Whether a new task, whose key another one has, gives that its payload and start."""
    return item["on_conflict"] == "replace" and task.status in WAITING


def declared(handler: str, pointer: str | None, payload: Any) -> str | None:
    """Return the unique key that a handler finds in a payload, as the server does.

    Args:
        handler: The name of the handler.
        pointer: A JSON pointer; None if the handler has none.
        payload: The payload of the task.
    """
    value = None if pointer is None else _value_at(pointer, payload)
    if value is None:
        return None
    key = f"{handler}:{_written(value)}"
    if len(key) <= LONGEST and key.isprintable() and not key.endswith(" "):
        return key
    return f"sha256:{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _is_refused(item: Mapping[str, Any], handler: str) -> bool:
    """Whether a task is refused whose key one of this handler has."""
    how, own = item["on_conflict"], str(item["handler"])
    return how == "reject" or (how == "replace" and handler != own)


def _told(task: FakeTask) -> dict[str, str]:
    return {"id": task.fields["id"], "status": task.status}


def _sentence(holder: FakeTask) -> str:
    return f"the unique key is held by task {holder.fields['id']}, which is {holder.status}"


def _value_at(pointer: str, value: Any) -> Any:
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return _CANONICAL.encode(value)

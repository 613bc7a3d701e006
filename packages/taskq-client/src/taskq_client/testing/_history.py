"""What happens at the fake: its queues now and minute by minute, and its failures in groups.

Nothing is measured in the minutes, because a task that is due runs at once.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from taskq_client.models import TaskStatus
from taskq_client.testing._store import FakeStore
from taskq_client.testing._task import WAITING, FakeTask, moment, wire

_MINUTE = timedelta(minutes=1)
_LATELY = 5
_MOST_POINTS = 20_000
_MOST_TASKS, _MOST_GROUPS, _LONGEST_LINE = 10_000, 200, 200
_RAN = frozenset({"succeeded", "failed", "timed_out", "lost"})

Ends = Sequence[tuple[datetime, Mapping[str, Any]]]
"""When attempts ended, and these attempts."""


def stats(store: FakeStore) -> dict[str, Any]:
    """Return the answer to `GET /stats`."""
    all_fields = store.fields
    items = []
    for name in sorted({fields["queue"] for fields in all_fields}):
        tasks = _statuses(fields for fields in all_fields if fields["queue"] == name)
        depth = sum(tasks[status] for status in WAITING)
        age = store.oldest_age(name)
        found = {"name": name, "tasks": tasks, "depth": depth, "oldest_age_seconds": age}
        items.append({**found, **_lately(store, name)})
    return {"tasks": _statuses(all_fields), "queues": items, "workers": 1}


def counts(store: FakeStore) -> dict[str, Any]:
    """Return what an event of `GET /stats/events` has: no ages and no rates."""
    found = stats(store)
    names = ("name", "tasks", "depth")
    return {**found, "queues": [{name: one[name] for name in names} for one in found["queues"]]}


def _statuses(tasks: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    found = Counter(fields["status"] for fields in tasks)
    return {status: found[status] for status in TaskStatus}


def _lately(store: FakeStore, queue: str) -> dict[str, float | None]:
    start = _minute(store.now) - (_LATELY - 1) * _MINUTE
    ends = [each for each in _ends(store, queue) if each[0] >= start]
    passed = (store.now - start) / _MINUTE
    return {"throughput_per_minute": len(ends) / passed, "run_seconds_mean": _mean(ends)}


def history(store: FakeStore, minutes: int, queue: str | None) -> dict[str, Any]:
    """Return the answer to `GET /stats/history`."""
    last = _minute(store.now)
    first = last - (minutes - 1) * _MINUTE
    by_name: defaultdict[str, defaultdict[datetime, list[Any]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for name in {task.fields["queue"] for task in store.stored if queue in (None, _name(task))}:
        for end in _ends(store, name):
            if end[0] >= first:
                by_name[name][_minute(end[0])].append(end)
    names, shown = _that_fit(by_name, [last - n * _MINUTE for n in range(minutes)])
    return {
        "minutes": [wire(minute) for minute in shown],
        "queues": {name: _lists([by_name[name][minute] for minute in shown]) for name in names},
        "exact": len(shown) == minutes,
    }


def failures(store: FakeStore, since_seconds: float) -> dict[str, Any]:
    """Return the answer to `GET /failures`."""
    since = store.now - timedelta(seconds=since_seconds)
    failed = [
        (moment(task.attempts[-1]["finished_at"]) or since, task)
        for task in list(store.tasks.values())
        if task.status in ("failed", "retrying")
    ]
    found = [each for each in failed if each[1].status == "retrying" or each[0] >= since]
    found.sort(key=lambda each: each[0], reverse=True)
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for at, task in found[:_MOST_TASKS]:
        error = task.attempts[-1]
        line = _first_line(error["message"] or "")
        key = task.fields["handler"], error["type"] or "", line
        about = dict(zip(("handler", "type", "message"), key, strict=True))
        newest = {"failed": 0, "retrying": 0, "last_at": wire(at), "example": task.fields["id"]}
        groups.setdefault(key, {**about, **newest})[task.status] += 1
    items = sorted(groups.values(), key=lambda one: -one["failed"] - one["retrying"])
    exact = len(found) <= _MOST_TASKS and len(items) <= _MOST_GROUPS
    return {"items": items[:_MOST_GROUPS], "exact": exact}


def _that_fit(
    queues: Mapping[str, Collection[datetime]], newest_first: Iterable[datetime]
) -> tuple[list[str], list[datetime]]:
    """Return the queues and the minutes of an answer that is not too large, oldest first."""
    names: set[str] = set()
    shown: list[datetime] = []
    for minute in newest_first:
        more = names | {name for name in queues if minute in queues[name]}
        if len(more) * (len(shown) + 1) > _MOST_POINTS:
            break
        names, shown = more, [*shown, minute]
    return sorted(names), shown[::-1]


def _lists(minutes: Sequence[Ends]) -> dict[str, list[Any]]:
    succeeded = [sum(one["outcome"] == "succeeded" for _, one in ends) for ends in minutes]
    return {
        "succeeded": succeeded,
        "failed": [len(ends) - good for ends, good in zip(minutes, succeeded, strict=True)],
        "run_seconds_mean": [_mean(ends) for ends in minutes],
        **{name: [None] * len(minutes) for name in ("depth", "running", "oldest_age_seconds")},
    }


def _ends(store: FakeStore, queue: str) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    """Find the attempts of a queue that ran to their end, also of tasks that are deleted."""
    for task in list(store.stored):
        for one in task.attempts if _name(task) == queue else ():
            ended = moment(one["finished_at"])
            if ended is not None and one["outcome"] in _RAN:
                yield ended, one


def _name(task: FakeTask) -> str:
    name: str = task.fields["queue"]
    return name


def _mean(ends: Ends) -> float | None:
    if not ends:
        return None
    began = [moment(one["started_at"]) or at for at, one in ends]
    run = [(at - start).total_seconds() for (at, _), start in zip(ends, began, strict=True)]
    return sum(run) / len(run)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _first_line(message: str) -> str:
    lines = (line.strip() for line in message.splitlines())
    return next((line for line in lines if line), "")[:_LONGEST_LINE]

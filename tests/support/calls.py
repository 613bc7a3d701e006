"""What the fault tests and the stateful test ask of a running taskq, over HTTP."""

import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

from tests.support.mariadb import MariaDBServer
from tests.support.servers import MissingServerError
from tests.support.stack import Stack
from tests.support.waiting import wait_until

Json = dict[str, Any]

FINAL = frozenset({"succeeded", "failed", "cancelled"})
UNFINISHED = ["queued", "running", "retrying"]
HANDLERS = "tests.support.handlers,tests.faults.bad_handlers"
FULL = os.environ.get("TASKQ_TEST_FAULTS", os.environ.get("TASKQ_FAULTS", "")) == "full"


def repeats(short: int, full: int) -> int:
    """How often, or how long, in this form of the suite."""
    return full if FULL else short


class Calls:
    """A caller of one API process, as a context manager.

    Args:
        url: Where the API listens.
    """

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=70, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()

    def submit(self, handler: str, payload: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """Submit a task and return its id."""
        body = {"handler": handler, "payload": dict(payload or {}), **fields}
        answer = self.http.post("/tasks", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def submit_many(
        self, count: int, handler: str, payload: Mapping[str, Any] | None = None, **fields: Any
    ) -> list[str]:
        """Submit equal tasks in batches and return their ids."""
        item = {"handler": handler, "payload": dict(payload or {}), **fields}
        ids: list[str] = []
        while len(ids) < count:
            items = [item] * min(1_000, count - len(ids))
            answer = self.http.post("/tasks/batch", json={"items": items})
            assert answer.status_code == 201, answer.text
            ids += [one["id"] for one in answer.json()["items"]]
        return ids

    def get(self, task_id: str, wait: float = 0) -> Json:
        """The task, when it is final or the time is up."""
        answer = self.http.get(f"/tasks/{task_id}", params={"wait": wait})
        found: Json = answer.raise_for_status().json()
        return found

    def attempts(self, task_id: str) -> list[Json]:
        """The ended attempts of a task, oldest first."""
        answer = self.http.get(f"/tasks/{task_id}/attempts").raise_for_status()
        return list(answer.json()["items"])

    def outcomes(self, task_id: str) -> list[str]:
        """How the attempts of a task ended."""
        return [one["outcome"] for one in self.attempts(task_id)]

    def cancel(self, task_id: str) -> int:
        """Cancel a task; the status code."""
        return self.http.post(f"/tasks/{task_id}/cancel").status_code

    def items(self, **query: Any) -> list[Json]:
        """All tasks that the list shows for a query."""
        return list(self._pages(**{"limit": 200, **query}))

    def _pages(self, **query: Any) -> Iterator[Json]:
        """The items of all pages; a page may be empty although others follow."""
        params: Json = dict(query)
        while True:
            page = self.http.get("/tasks", params=params).raise_for_status().json()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def count(self, **query: Any) -> int:
        """How many tasks the list shows for a query."""
        return len(self.items(**query))

    def until(self, task_id: str, status: str, timeout: float = 180) -> Json:
        """The task once it has this status."""
        wait_until(
            lambda: self.get(task_id)["status"] == status,
            timeout,
            f"{task_id} is {status}",
            0.05,
            lambda: str(self.get(task_id)),
        )
        return self.get(task_id)

    def until_running(self, tag: str, count: int, timeout: float = 180) -> None:
        """Wait until so many tasks with this tag run."""
        wait_until(
            lambda: self.count(tag=tag, status="running") >= count,
            timeout,
            f"{count} tasks tagged {tag} run",
            0.05,
        )

    def until_quiet(self, timeout: float, **query: Any) -> list[Json]:
        """Wait until all tasks of a query are final, and return them."""

        def quiet() -> bool:
            try:
                return next(self._pages(status=UNFINISHED, limit=1, **query), None) is None
            except httpx.HTTPStatusError:
                return False  # the database is not back yet

        wait_until(quiet, timeout, "all tasks are final", 0.1, lambda: str(self._unfinished()))
        return self.items(**query)

    def _unfinished(self) -> dict[str, int]:
        return counted(f"{one['handler']} {one['status']}" for one in self.items(status=UNFINISHED))


def counted(words: Iterable[str]) -> dict[str, int]:
    """How often each word occurs."""
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What one submit under load got; `task_id` is empty where it was refused."""

    key: str
    status: int
    seconds: float
    retry_after: str
    task_id: str


@dataclass(slots=True)
class Load:
    """Submit with idempotency keys from some threads while the block runs.

    Attributes:
        url: Where the API listens.
        body: The task.
        threads: How many callers.
        pause: Seconds between two submits of one caller.
        answers: What came back so far.
        broken: What no HTTP answer came back for.
    """

    url: str
    body: Json
    threads: int = 4
    pause: float = 0.01
    answers: list[Answer] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._running = [threading.Thread(target=self._submit) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._running:
            thread.join(30)

    def accepted(self) -> list[Answer]:
        """The submits that were answered with a task."""
        return [one for one in self.answers if one.status in (200, 201)]

    def refused(self) -> list[Answer]:
        """The submits that were answered with anything else."""
        return [one for one in self.answers if one.status not in (200, 201)]

    def again(self) -> None:
        """Submit what was refused once more, under the same keys; all of it has to be taken."""
        with httpx.Client(base_url=self.url, timeout=180, trust_env=False) as http:

            def submit(one: Answer) -> Answer:
                headers = {"Idempotency-Key": one.key}
                answer = http.post("/tasks", json=self.body, headers=headers)
                assert answer.status_code in (200, 201), answer.text
                return _read(one.key, answer, 0.0)

            with ThreadPoolExecutor(self.threads) as pool:
                self.answers += pool.map(submit, self.refused())

    def _submit(self) -> None:
        with httpx.Client(base_url=self.url, timeout=180, trust_env=False) as http:
            while not self._stop.wait(self.pause):
                key = secrets.token_hex(8)
                asked = time.monotonic()
                try:
                    answer = http.post("/tasks", json=self.body, headers={"Idempotency-Key": key})
                except httpx.TransportError as error:
                    self.broken.append(repr(error))
                else:
                    self.answers.append(_read(key, answer, time.monotonic() - asked))


def _read(key: str, answer: httpx.Response, seconds: float) -> Answer:
    task_id = str(answer.json()["id"]) if answer.is_success else ""
    retry_after = answer.headers.get("Retry-After", "")
    return Answer(key, answer.status_code, seconds, retry_after, task_id)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]


def children(pid: int) -> list[int]:
    """The process ids of the children of a process, whichever thread started them; Linux only."""
    found: list[int] = []
    ended = suppress(FileNotFoundError, ProcessLookupError)
    with ended:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with ended, open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    return found


def descendants(pid: int) -> list[int]:
    """The process ids of all processes below a process, Linux only."""
    below = children(pid)
    return below + [one for child in below for one in descendants(child)]


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie; Linux only."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.partition("State:")[2].split()[0] != "Z"


def inner_pid(stack: Stack, worker: int = 0, other_than: int = 0) -> int:
    """The process of a worker that runs tasks, once it is there."""
    supervisor = stack.workers[worker].pid
    wait_until(
        lambda: any(pid != other_than for pid in children(supervisor)),
        60,
        "the supervisor has a child",
        0.05,
    )
    return next(pid for pid in children(supervisor) if pid != other_than)


def database_name(stack: Stack) -> str:
    """The name of the stack's database on its MariaDB server."""
    return stack.database_url.rpartition("/")[2].partition("?")[0]


@contextmanager
def private_mariadb(
    *, flush_log: int = 2, options: tuple[str, ...] = ()
) -> Iterator[MariaDBServer]:
    """A MariaDB that a test may kill, and whose counters are this test's."""
    try:
        server = MariaDBServer(flush_log=flush_log, options=options)
    except MissingServerError as error:
        pytest.fail(str(error), pytrace=False)
    with server:
        yield server


def timed(call: Callable[[], object]) -> float:
    """How many seconds a call takes."""
    asked = time.monotonic()
    call()
    return time.monotonic() - asked

"""Callers that submit a mix of tasks, and try again with the same key until they are answered."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx

from tests.faults.evidence import Submit

Body = dict[str, Any]

_QUICK_RETRIES = {"backoff_base_seconds": 0.1, "backoff_max_seconds": 0.2}
MIXED: Mapping[str, int] = {
    "faults.noop": 50,
    "faults.sleep": 25,
    "faults.thread": 5,
    "faults.once": 10,
    "faults.always": 5,
    "later": 8,
    "long": 2,
}
CALM: Mapping[str, int] = {"faults.noop": 60, "faults.sleep": 40}
"""Nothing in it fails by itself."""

LATER_SECONDS = (0.5, 9.0)
LONG_SECONDS = (3.0, 9.0)
"""When a hang of the database ends, some are not yet due, and some still run."""

_GIVE_UP_SECONDS = 90.0
_HTTP_SECONDS = 10.0
_ENOUGH = 8
"""From so many on, some of a kind are there for sure."""

_ACCEPTED = (200, 201)


class Callers:
    """Keep the record of every submit of one series.

    Args:
        urls: The API processes; each try takes the next one.
        prefix: Begins each key; the key is the task's title, too.
        on_accepted: Called with each accepted submit, from the caller's thread.
    """

    def __init__(
        self,
        urls: Callable[[], Sequence[str]],
        prefix: str,
        on_accepted: Callable[[Submit], None] = lambda _: None,
    ) -> None:
        self.submits: list[Submit] = []
        self.http = httpx.Client(timeout=_HTTP_SECONDS, trust_env=False)
        self.urls = urls
        self._prefix = prefix
        self._on_accepted = on_accepted
        self._lock = threading.Lock()
        self._turns = itertools.count()
        self._closed = False

    def new(self, handler: str, run_at: float | None = None) -> Submit:
        """Note that a task is wanted, before anything is sent."""
        with self._lock:
            key = f"{self._prefix}-{len(self.submits)}"
            submit = Submit(key, handler, time.time(), run_at)
            self.submits.append(submit)
        return submit

    def submit(
        self,
        handler: str,
        payload: Mapping[str, object] | None = None,
        **fields: Any,
    ) -> Submit:
        """Submit a task until it is accepted, and note every answer."""
        submit = self.new(handler, _moment(fields.get("run_at")))
        return self.send(submit, self.body(submit, payload, **fields))

    @staticmethod
    def body(submit: Submit, payload: Mapping[str, object] | None = None, **fields: Any) -> Body:
        """What is sent for a submit, the same with every try."""
        return {
            "handler": submit.handler,
            "payload": dict(payload or {}),
            "title": submit.key,
            "timeout_seconds": 3600,
            **_QUICK_RETRIES,
            **fields,
        }

    def send(self, submit: Submit, body: Body) -> Submit:
        """Send it until it is accepted, to one API process after the other."""
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while not self._closed and time.monotonic() < deadline:
            url = self._next_url()
            if url is not None and self.send_once(url, submit, body):
                return submit
            if submit.answers and submit.answers[-1] not in (*_ACCEPTED, 503):
                return submit
            time.sleep(0.05)
        return submit

    def send_once(self, url: str, submit: Submit, body: Body) -> bool:
        """Send it once; whether it was accepted."""
        try:
            headers = {"Idempotency-Key": submit.key}
            answer = self.http.post(f"{url}/tasks", json=body, headers=headers)
        except httpx.TransportError:
            submit.broken += 1
            return False
        if answer.status_code not in _ACCEPTED:
            submit.answers.append(answer.status_code)
            return False
        submit.answered_by = url
        self.accept(submit, answer.status_code, answer.json()["id"])
        return True

    def accept(self, submit: Submit, status: int, task_id: str) -> None:
        """Note that a caller was told which task it is."""
        submit.answers.append(status)
        submit.task_id = task_id.replace("-", "")
        submit.ids.add(submit.task_id)
        submit.answered_at = time.time()
        self._on_accepted(submit)

    def cancel(self, submit: Submit) -> None:
        """Ask once for the end of a task, and note the answer."""
        url = self._next_url()
        if url is None:
            return
        try:
            answer = self.http.post(f"{url}{submit.path}/cancel")
        except httpx.TransportError:
            return
        submit.cancels.append(answer.status_code)
        if answer.status_code == 200:
            submit.cancelled_at = time.time()

    def give_up(self) -> None:
        """Let nobody try again."""
        self._closed = True

    def _next_url(self) -> str | None:
        """The API processes in turn; None while there is none."""
        urls = self.urls()
        return urls[next(self._turns) % len(urls)] if urls else None


class Load:
    """Submit at a steady rate from some threads while the block runs.

    At its end it makes sure that it was the load that it should be: every API process took submits,
    and tasks that waited were cancelled.

    Args:
        callers: Keep the record.
        mix: How often each handler comes.
        rate: Tasks a second, at most.
        fields: More fields of every task.
        threads: How many callers.
    """

    def __init__(
        self,
        callers: Callers,
        *,
        mix: Mapping[str, int],
        rate: float,
        threads: int,
        fields: Mapping[str, Any],
    ) -> None:
        self._callers = callers
        self._mix = mix
        self._fields = dict(fields or {})
        self._pause = threads / rate
        self._stop = threading.Event()
        self._later = itertools.count()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Self:
        self._first = len(self._callers.submits)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if error is not None:
            self._callers.give_up()
        for thread in self._threads:
            thread.join(_GIVE_UP_SECONDS + _HTTP_SECONDS)
        if error is None:
            self._check(self._callers.submits[self._first :])

    def _check(self, submits: Sequence[Submit]) -> None:
        assert not any(thread.is_alive() for thread in self._threads), "a caller hangs"
        took = Counter(one.answered_by for one in submits if one.answered_by)
        if took.total() >= _ENOUGH:
            assert took.keys() >= set(self._callers.urls()), f"not every API took submits: {took}"
        cancels = Counter(answer for one in submits for answer in one.cancels)
        if cancels.total() >= _ENOUGH:
            assert cancels[200], f"no waiting task was cancelled: {cancels}"

    def _run(self, number: int) -> None:
        chance = random.Random(number)
        while not self._stop.wait(self._pause * chance.uniform(0.5, 1.5)):
            self._submit(chance)

    def _submit(self, chance: random.Random) -> None:
        (kind,) = chance.choices(list(self._mix), list(self._mix.values()))
        if kind == "later":
            self._submit_later(chance)
        elif kind == "long":
            payload = {"seconds": round(chance.uniform(*LONG_SECONDS), 3)}
            self._callers.submit("faults.sleep", payload, **self._fields)
        elif kind in {"faults.sleep", "faults.thread"}:
            payload = {"seconds": round(chance.uniform(0.02, 0.4), 3)}
            self._callers.submit(kind, payload, **self._fields)
        elif kind == "faults.always":
            self._callers.submit(kind, **({"max_retries": 1} | self._fields))
        else:
            self._callers.submit(kind, **self._fields)

    def _submit_later(self, chance: random.Random) -> None:
        """A task that is not due yet; every second one is cancelled before it is."""
        is_cancelled = next(self._later) % 2
        run_at = datetime.fromtimestamp(time.time() + chance.uniform(*LATER_SECONDS), UTC)
        fields: Body = {**self._fields, "run_at": run_at.isoformat()}
        one = self._callers.submit("faults.noop", **fields)
        if is_cancelled and one.accepted:
            self._callers.cancel(one)


def _moment(value: object) -> float | None:
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None

"""A scripted server in place of the network, with a clock that only moves when told."""

import json
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from taskq_client._background import Pending
from taskq_client._callbacks import Callback, Checked, blocking_callback
from taskq_client._channels import Answer, Request, finish
from taskq_client._core import Core
from taskq_client._sender import RetryingSender
from taskq_client.errors import TaskqConnectionError
from taskq_client.models import Task
from taskq_client.retry import RetryPolicy

T = TypeVar("T")
Reply = Answer | Exception | Callable[[Request], Answer]

URL = "http://127.0.0.1:8000"
"""Where a client looks for the API unless it is told."""


def wire_task(**changes: Any) -> dict[str, Any]:
    """A task as the server sends it."""
    return {
        "id": "0198c0de",
        "handler": "reports.build",
        "title": "October",
        "description": None,
        "payload": {"month": "2026-10"},
        "status": "queued",
        "priority": "high",
        "tags": ["monthly"],
        "queue": "default",
        "run_at": None,
        "timeout_seconds": 300,
        "max_retries": 3,
        "backoff_base_seconds": None,
        "backoff_max_seconds": None,
        "keep_seconds": None,
        "unique_key": None,
        "current_retry_count": 0,
        "attempt": 0,
        "errors": [],
        "progress": None,
        "result": None,
        "worker_id": None,
        "cancel_requested_at": None,
        "traceparent": None,
        "schedule": None,
        "version": 1,
        "created_at": "2026-10-01T12:00:00.123456Z",
        "updated_at": "2026-10-01T12:00:00.123456Z",
        "started_at": None,
        "finished_at": None,
        **changes,
    }


def a_task(**changes: Any) -> Task:
    return Task.model_validate(wire_task(**changes))


def wire_worker(name: str, **changes: Any) -> dict[str, Any]:
    """A worker as the server sends it."""
    return {
        "id": f"worker of {name}",
        "name": name,
        "namespaces": ["default"],
        "queues": ["default"],
        "handlers": ["taskq.echo"],
        "concurrency": 100,
        "running": [],
        "running_count": 0,
        "quarantine_in_use": 0,
        "started_at": "2026-10-01T12:00:00Z",
        "heartbeat_at": "2026-10-01T12:00:01Z",
        "version": "0.1.0",
        **changes,
    }


def wire_schedule(**changes: Any) -> dict[str, Any]:
    """A schedule as the server sends it."""
    task = dict.fromkeys(
        (
            *("title", "description", "priority", "tags", "queue", "timeout_seconds"),
            *("max_retries", "backoff_base_seconds", "backoff_max_seconds", "keep_seconds"),
        )
    )
    return {
        "name": "nightly",
        "cron": "0 6 * * *",
        "every_seconds": None,
        "timezone": "Europe/Berlin",
        "task": {**task, "handler": "reports.build", "payload": {"month": "2026-10"}},
        "overlap": "skip",
        "catch_up": "last",
        "catch_up_seconds": 86_400.0,
        "jitter_seconds": 0.0,
        "starts_at": None,
        "ends_at": None,
        "paused": False,
        "paused_at": None,
        "note": None,
        "declared": False,
        "next_fire_at": "2026-10-02T04:00:00Z",
        "last_fire_at": None,
        "last_task_id": None,
        "fired": 0,
        "skipped": 0,
        "missed": 0,
        "last_error": None,
        "key_id": None,
        "version": 1,
        "created_at": "2026-10-01T12:00:00.123456Z",
        "updated_at": "2026-10-01T12:00:00.123456Z",
        **changes,
    }


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    """An answer in JSON."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **names}, json.dumps(body).encode())


def problem(status: int, code: str = "", **fields: Any) -> Answer:
    """An error as the server sends it; `retry_after` and `date` become headers."""
    headers = {
        name.replace("_", "-"): fields.pop(name)
        for name in ("retry_after", "date")
        if name in fields
    }
    body = {"type": "about:blank", "status": status, "code": code, **fields}
    return Answer(
        status,
        {"content-type": "application/problem+json", **headers},
        json.dumps(body).encode(),
    )


def late(seconds: float, reply: Reply) -> tuple[float, Reply]:
    """A reply that takes its time."""
    return seconds, reply


CUT = b": cut\n"
"""A line at which the connection breaks."""


def events(*states: dict[str, Any], cut: bool = False) -> Answer:
    """An event stream, which breaks after its last state if it is cut."""
    lines = [f"id: {state['version']}\ndata: {json.dumps(state)}\n\n" for state in states]
    body = ": hello\n\n".join(["", *lines]).encode() + (CUT if cut else b"")
    return Answer(200, {"content-type": "text/event-stream; charset=utf-8"}, body)


class _AtOnce(Generic[T]):
    """Background work that is done at once; awaiting it gives its result or error."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._future: Future[T] = Future()
        try:
            self._future.set_result(finish(work))
        except Exception as error:
            self._future.set_exception(error)

    def __await__(self) -> Generator[Any, Any, T]:
        yield from ()
        return self._future.result()

    def cancel(self) -> bool:
        return False


@dataclass
class RecordingChannel:
    """Give the replies in order, or the same one for ever; remember what was asked and slept."""

    replies: list[Reply | tuple[float, Reply]]
    for_ever: Reply | tuple[float, Reply] | None = None
    now: float = 1000.0
    requests: list[Request] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def send(self, request: Request) -> Answer:
        self.requests.append(request)
        reply = self.replies.pop(0) if self.replies else self.for_ever
        assert reply is not None, f"one request too many: {request}"
        if isinstance(reply, tuple):
            seconds, reply = reply
            self.now += seconds
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, Answer) else reply(request)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def begin(self, work: Coroutine[Any, Any, T]) -> Pending[T]:
        return _AtOnce(work)

    def callback(self, name: str, function: Callback[T] | None) -> Checked[T]:
        return blocking_callback(name, function)

    async def stream(self, request: Request) -> AsyncGenerator[Answer, None]:
        answer = await self.send(request)
        if answer.media_type == "text/event-stream":
            yield replace(answer, body=b"")
            for piece in re.split(rb"(?<=\n)", answer.body):
                if piece == CUT:
                    raise TaskqConnectionError("cut")
                yield replace(answer, body=piece)
        else:
            yield answer

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    def body(self, number: int = 0) -> Any:
        body = self.requests[number].body
        assert body is not None
        return json.loads(body)


def core_over(channel: RecordingChannel, **options: Any) -> Core:
    """A core without chance: pauses are their upper bounds, keys are counted."""
    keys = iter(f"key-{number}" for number in range(1, 100))
    policy = RetryPolicy(options.pop("max_retries", 2), draw=lambda: 1.0)
    sender = RetryingSender(channel, policy, 10.0, channel.clock, lambda: next(keys), **options)
    return Core(sender)


def core(*replies: Reply | tuple[float, Reply], **options: Any) -> tuple[Core, RecordingChannel]:
    channel = RecordingChannel(list(replies))
    return core_over(channel, **options), channel

"""The command `taskq` on a terminal of some width, and a server whose answers never change."""

import io
import json
import os
import pty
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import httpx
import pytest

from taskq_client import TaskqClient
from taskq_client.cli import main
from tests.unit.client import support
from tests.unit.client.support import events

NOW = datetime(2026, 10, 1, 12, 30, tzinfo=UTC)
WORKER = "073559ee-96a4-40a2-a3f9-56d8555b453c"
TRACEBACK = """\
Traceback (most recent call last):
  File "/srv/app/lib/python3.11/site-packages/taskq_server/worker/attempts/executor.py", line 114, in _in_thread
    ended = await asyncio.shield(done)
            ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/concurrent/futures/thread.py", line 58, in run
    result = self.fn(*self.args, **self.kwargs)
  File "/srv/app/lib/python3.11/site-packages/taskq_server/worker/attempts/executor.py", line 107, in work
    result = _exit_as_error(call)
  File "/srv/app/jobs.py", line 22, in build
    rows = read_rows(month)
           ^^^^^^^^^^^^^^^^
  File "/srv/app/lib/python3.11/site-packages/a_library_with_long_folders/connections/reading.py", line 814, in read_rows
    raise ConnectionError("the database of the reports closed the connection") from None
ConnectionError: the database of the reports closed the connection
"""  # noqa: E501


def wire(minutes: float, number: int, **changes: Any) -> dict[str, Any]:
    """A task that was created some minutes ago, with an id that says so."""
    created = NOW - timedelta(minutes=minutes)
    digits = f"{int(created.timestamp() * 1000):012x}"
    id_ = f"{digits[:8]}-{digits[8:]}-7001-aada-2f3065fada{number:02x}"
    task = support.wire_task(id=id_, created_at=at(created), updated_at=at(created), **changes)
    return {**task, "title": changes.get("title", task["handler"])}


def at(moment: datetime) -> str:
    """A time on the wire."""
    return moment.isoformat().replace("+00:00", "Z")


def attempt(number: int, minutes: float, seconds: float, **changes: Any) -> dict[str, Any]:
    """An attempt that failed some minutes ago."""
    ended = NOW - timedelta(minutes=minutes)
    return {
        "attempt": number,
        "outcome": "failed",
        "type": "ConnectionError",
        "message": "the database of the reports closed the connection",
        "traceback": TRACEBACK,
        "worker_id": WORKER,
        "worker_name": "reports-7d9fb6c5d-x2v4q:17",
        "started_at": at(ended - timedelta(seconds=seconds)),
        "finished_at": at(ended),
        "retry_at": None,
        **changes,
    }


ERRORS = [
    attempt(1, 24.5, 0.0123),
    attempt(2, 24, 300, outcome="timed_out", type="TimeoutError", traceback=None, message=None),
    attempt(3, 20, 63.4),
]
FAILED = wire(
    25, 1, status="failed", errors=ERRORS, attempt=3, max_retries=2, current_retry_count=2,
    title="October for the customers in the north, with all their orders", run_at=None,
    started_at=ERRORS[2]["started_at"], finished_at=ERRORS[2]["finished_at"], worker_id=WORKER,
)  # fmt: skip
RUNNING = wire(
    2.2, 2, status="running", handler="films.encode", priority="normal", tags=[], attempt=1,
    started_at=at(NOW - timedelta(seconds=12)), worker_id=WORKER, payload={"name": "cats"},
    progress={"current": 3, "total": 4, "message": "reel 3"}, queue="films",
    unique_key="films.encode:cats",
)  # fmt: skip
DONE = wire(
    60 * 50, 3, status="succeeded", handler="customers.letters.print", title="十月的信件 für Jörg",
    started_at=at(NOW - timedelta(hours=49)), finished_at=at(NOW - timedelta(hours=48.95)),
    result={"pages": [1, 2, 3], "printer": "the one on the second floor, behind the stairs"},
)  # fmt: skip
QUEUED = wire(0, 4, handler="taskq.echo", payload={"value": 1}, tags=[], priority="normal")
LATER = wire(0.1, 5, title="November", run_at=at(NOW + timedelta(hours=3, minutes=5)))
RETRYING = wire(
    9, 6, status="retrying", attempt=1, current_retry_count=1, errors=[attempt(1, 5, 1.4)],
    run_at=at(NOW + timedelta(seconds=90)), started_at=at(NOW - timedelta(minutes=5)),
)  # fmt: skip
CANCELLED = wire(60 * 24 * 800, 7, status="cancelled", finished_at=at(NOW - timedelta(days=799)))
TASKS = [QUEUED, LATER, RUNNING, RETRYING, FAILED, DONE, CANCELLED]

COUNTS = {"queued": 12_345, "running": 8, "retrying": 3, "succeeded": 1_234_567, "failed": 12}
STATS = {
    "tasks": {**COUNTS, "cancelled": 0},
    "queues": [
        {
            "name": "default",
            "tasks": COUNTS,
            "depth": 12_348,
            "oldest_age_seconds": 90.26,
            "throughput_per_minute": 1_240.4,
            "run_seconds_mean": 0.312,
        },
        {"name": "films", "tasks": {"running": 1}, "depth": 0, "oldest_age_seconds": None},
    ],
    "workers": 2,
}
SCHEMA = {
    "properties": {
        "month": {"type": "string"},
        "rows": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "draft": {"type": "boolean"},
        "kind": {"enum": ["pdf", "html"], "type": "string"},
    },
    "required": ["month"],
}
HANDLERS = [
    {
        "name": "reports.build",
        "description": "Build the report of a month\nfor all customers.\n\nThis is not shown.",
        "schema": SCHEMA,
        "unique_key": "/month",
        "workers": 2,
    },
    {"name": "films.encode", "schema": {}, "workers": 0},
]
WORKERS = [
    {
        "id": WORKER,
        "name": "reports-7d9fb6c5d-x2v4q:17",
        "namespaces": ["a", "default"],
        "queues": ["default", "films"],
        "handlers": [*(f"customers.letters.print_{n}" for n in range(1, 5)), "films.encode"],
        "concurrency": 100,
        "running": [
            {"id": FAILED["id"], "handler": "customers.letters.print", "attempt": 4,
             "started_at": at(NOW - timedelta(hours=2.5)), "namespace": "a", "quarantined": True},
            {"id": RUNNING["id"], "handler": "films.encode", "attempt": 1, "namespace": "default",
             "started_at": RUNNING["started_at"], "quarantined": False},
        ],
        "running_count": 12,
        "quarantine_in_use": 1,
        "started_at": at(NOW - timedelta(days=3)),
        "heartbeat_at": at(NOW - timedelta(seconds=1.4)),
        "version": "0.1.0",
    },
    {
        "id": "9c02f6f1-6d0c-4a0e-8f3c-0d1f3b3f6d55",
        "name": "old:9",
        "namespaces": ["*"],
        "queues": ["default"],
        "handlers": [],
        "concurrency": 8,
        "running": [],
        "running_count": 0,
        "quarantine_in_use": 0,
        "started_at": at(NOW - timedelta(seconds=20)),
        "heartbeat_at": at(NOW),
        "version": None,
    },
]  # fmt: skip
FAILURES = [
    {
        "handler": "reports.build",
        "type": "ConnectionError",
        "message": "the database of the reports closed the connection",
        "failed": 1_234,
        "retrying": 3,
        "last_at": at(NOW - timedelta(minutes=9)),
        "example": FAILED["id"],
    },
    {
        "handler": "films.encode",
        "type": "WorkerLost",
        "message": "",
        "failed": 1,
        "retrying": 0,
        "last_at": at(NOW),
        "example": DONE["id"],
    },
]
QUEUES = [
    {
        "name": "default",
        "paused": False,
        "paused_at": None,
        "note": None,
        "depth": 12_348,
        "running": 8,
        "oldest_age_seconds": 90.26,
        "throughput_per_minute": 1_240.4,
        "workers": 2,
    },
    {
        "name": "customers/mails",
        "paused": True,
        "paused_at": at(NOW - timedelta(minutes=9)),
        "note": "the mail provider is down: see the page of its status before you resume",
        "depth": 300,
        "running": 1,
        "oldest_age_seconds": 540.0,
        "throughput_per_minute": 0.4,
        "workers": 1,
    },
    {"name": "films", "depth": 0, "running": 0, "throughput_per_minute": 0.0, "workers": 0},
]
SCHEDULES = [
    support.wire_schedule(
        name="code:reports.monthly_statements_of_customers",
        cron="0 6 1 * *",
        declared=True,
        last_error="no worker has published a handler called reports.monthly",
        missed=1,
        next_fire_at=at(NOW + timedelta(days=31)),
        task={"handler": "reports.monthly_statements_of_customers", "payload": {}},
    ),
    support.wire_schedule(
        name="mails",
        cron=None,
        every_seconds=90.0,
        timezone="UTC",
        overlap="queue",
        catch_up="none",
        jitter_seconds=30.0,
        paused=True,
        paused_at=at(NOW - timedelta(minutes=9)),
        note="the mail provider is down: see the page of its status before you resume",
        next_fire_at=None,
        last_fire_at=at(NOW - timedelta(minutes=10)),
        last_task_id=RUNNING["id"],
        fired=1_234_567,
        skipped=12,
        ends_at=at(NOW + timedelta(days=90)),
        task={"handler": "customers.letters.print", "queue": "mails", "tags": ["a", "b c"],
              "priority": "high", "payload": {"printer": "on the second floor", "pages": 3}},
    ),
    support.wire_schedule(),
]  # fmt: skip
PREVIEW = {
    "times": ["2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z", "2026-10-26T05:00:00Z"],
    "text": "At 06:00 every day",
}
PROBLEM = {"content-type": "application/problem+json"}
TAGS = [{"name": "monthly", "count": 1_234}, {"name": "a b", "count": 1}]


class Server:
    """Answers as a taskq server with a few tasks does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.URL] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        path = request.url.path.removeprefix("/")
        if path == "tasks":
            return self._tasks(request)
        if not path.startswith("tasks/"):
            if path.startswith("schedules"):
                return self._schedules(request)
            if path.startswith("queues/"):
                paused = path.endswith("/pause")
                return httpx.Response(200, json=QUEUES[1 if paused else 0])
            views = {"handlers": HANDLERS, "tags": TAGS, "workers": WORKERS, "failures": FAILURES}
            views["queues"] = QUEUES
            found: Any = views.get(path)
            return httpx.Response(200, json=STATS if found is None else {"items": found})
        _, id_, *rest = path.split("/")
        task = next(each for each in TASKS if each["id"] == id_)
        if request.method == "DELETE":
            return httpx.Response(204)
        if rest == ["attempts"]:
            return httpx.Response(200, json={"items": task["errors"]})
        if rest == ["cancel"]:
            return httpx.Response(202, json={**task, "cancel_requested_at": at(NOW)})
        if rest == ["events"]:
            stream = events(QUEUED, {**RUNNING, "version": 2}, {**DONE, "version": 3})
            return httpx.Response(200, headers=stream.headers, content=stream.body)
        return httpx.Response(200, json=task)

    def _schedules(self, request: httpx.Request) -> httpx.Response:
        _, *rest = request.url.path.removeprefix("/").split("/")
        if not rest:
            return httpx.Response(200, json={"items": SCHEDULES, "next_cursor": None})
        if rest == ["preview"]:
            return httpx.Response(200, json=PREVIEW)
        if request.method == "DELETE":
            return httpx.Response(204)
        if rest[1:] == ["fire"]:
            return httpx.Response(201, json=QUEUED)
        known = {each["name"]: each for each in SCHEDULES}
        if rest[0] not in known:
            said = {"code": "schedule-not-found", "detail": f"there is no schedule {rest[0]}"}
            return httpx.Response(404, json=said, headers=PROBLEM)
        return httpx.Response(200, json=known[rest[0]])

    def _tasks(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            handler = json.loads(request.content)["handler"]
            return httpx.Response(201, json=LATER if handler == "reports.build" else QUEUED)
        query = request.url.params
        found = [
            {name: task[name] for name in task if name not in ("payload", "result", "errors")}
            for task in TASKS
            if task["id"].startswith(query.get("id", ""))
            and query.get("handler", task["handler"]) == task["handler"]
            and query.get("status", task["status"]) == task["status"]
        ]
        page = found[: int(query["limit"])]
        return httpx.Response(200, json={"items": page, "next_cursor": None})


def use(server: Callable[[httpx.Request], httpx.Response], patch: pytest.MonkeyPatch) -> None:
    """Let the command ask this server, at the time `NOW`."""

    def make(url: str | None, **options: Any) -> TaskqClient:
        return TaskqClient(url, transport=httpx.MockTransport(server), **options)

    patch.setattr("taskq_client.cli.session.TaskqClient", make)
    patch.setattr("taskq_client.cli.completion.TaskqClient", make)
    patch.setattr("taskq_client.cli.session.clock", lambda: NOW)
    patch.setattr("taskq_client.cli.schedules.clock", lambda: NOW)


def on_terminal(
    words: list[str], patch: pytest.MonkeyPatch, *, columns: int, charset: str = "utf-8"
) -> str:
    """Run the command on a terminal, and return what it shows."""
    reader, theirs = pty.openpty()
    pieces: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # a terminal whose other side has ended is an error on Linux
            while piece := os.read(reader, 65_536):
                pieces.append(piece)

    reading = Thread(target=read)
    reading.start()
    with patch.context() as terminal, open(theirs, "w", encoding=charset) as stream:
        terminal.setenv("COLUMNS", str(columns))
        terminal.setenv("TERM", "xterm-256color")
        terminal.delenv("COLORTERM", raising=False)
        terminal.setattr(sys, "stdout", stream)
        terminal.setattr(sys, "stderr", stream)
        with suppress(SystemExit):
            main.main(words)
    reading.join(60)
    os.close(reader)
    return b"".join(pieces).decode(charset).replace("\r\n", "\n")


def in_pipe(words: list[str], patch: pytest.MonkeyPatch) -> str:
    """Run the command in a pipe, and return what it prints."""
    with patch.context() as pipe, io.TextIOWrapper(io.BytesIO(), "utf-8") as stream:
        pipe.setattr(sys, "stdout", stream)
        pipe.setattr(sys, "stderr", stream)
        with suppress(SystemExit):
            main.main(words)
        stream.flush()
        stream.seek(0)
        return stream.read()

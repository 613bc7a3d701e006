"""The command `taskq`: states, queues, lists that go on, completion."""

import json
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
import respx

from taskq_client import TaskqClient
from taskq_client.cli.session import Session
from taskq_client.testing import FakeTaskq
from tests.unit.client.commands import ID, taskq, wire_task
from tests.unit.client.support import a_task, events


def test_events_is_a_line_for_each_state(server: respx.MockRouter) -> None:
    progress = {"current": 1, "total": 4, "message": "half\tway"}
    states = [
        wire_task(),
        wire_task(version=2, status="running", attempt=1, progress=progress),
        wire_task(version=4, status="succeeded", attempt=1, progress={"current": 2.5}),
    ]
    stream = events(*states)
    server.get(f"/tasks/{ID}/events").respond(200, headers=stream.headers, content=stream.body)

    assert taskq("events", ID).stdout == (
        "1\tqueued\t0\t\n2\trunning\t1\t1/4 half\\tway\n4\tsucceeded\t1\t2.5\n"
    )
    lines = taskq("events", ID, "--json").stdout.splitlines()
    assert [json.loads(line)["version"] for line in lines] == [1, 2, 4]


def test_delete_prints_nothing(server: respx.MockRouter) -> None:
    route = server.delete(f"/tasks/{ID}").respond(204)

    assert taskq("delete", ID).stdout == ""
    assert json.loads(taskq("delete", ID, "--json").stdout) == {"id": ID}
    assert route.call_count == 2


def test_attempts_is_a_line_for_each(server: respx.MockRouter) -> None:
    failed = {
        "attempt": 1,
        "outcome": "failed",
        "type": "E",
        "message": "a\tb",
        "traceback": "Traceback",
        "started_at": "2026-10-01T12:00:00Z",
    }
    items = [failed, {"attempt": 2, "outcome": "succeeded"}]
    server.get(f"/tasks/{ID}/attempts").respond(200, json={"items": items})

    assert taskq("attempts", ID).stdout == (
        "1\tfailed\t2026-10-01T12:00:00Z\t\tE\ta\\tb\n2\tsucceeded\t\t\t\t\n"
    )
    assert json.loads(taskq("attempts", ID, "--json").stdout) == items


HANDLERS = [
    {
        "name": "reports.build",
        "description": "Build\nit.",
        "schema": {
            "properties": {
                "month": {"type": "string"},
                "rows": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "any": {},
            },
            "required": ["month"],
        },
        "max_retries": 3,
        "timeout_seconds": 300.0,
        "queue": "mails",
        "priority": "low",
        "tags": ["monthly"],
        "unique_key": "/month",
        "workers": 2,
    },
    {"name": "taskq.echo", "workers": 1},
]


def test_handlers_are_listed_with_their_parameters(server: respx.MockRouter) -> None:
    server.get("/handlers").respond(200, json={"items": HANDLERS})

    assert taskq("handlers").stdout == (
        "reports.build\t2\tmonth: string, rows: integer or null (optional), any: any (optional)"
        "\tBuild it.\n"
        "taskq.echo\t1\t\t\n"
    )
    assert json.loads(taskq("handlers", "--json").stdout)[0] == HANDLERS[0]


def test_tags_are_listed_with_their_counts(server: respx.MockRouter) -> None:
    items = [{"name": "monthly", "count": 12}, {"name": "a b", "count": 1}]
    server.get("/tags").respond(200, json={"items": items})

    assert taskq("tags").stdout == "monthly\t12\na b\t1\n"
    assert json.loads(taskq("--json", "tags").stdout) == items


STATS: dict[str, Any] = {
    "tasks": {
        "queued": 5,
        "running": 1,
        "retrying": 0,
        "succeeded": 7,
        "failed": 0,
        "cancelled": 0,
    },
    "queues": [
        {
            "name": "default",
            "tasks": {"queued": 5, "running": 1, "succeeded": 7},
            "depth": 5,
            "oldest_age_seconds": 90.26,
            "throughput_per_minute": 12.34,
            "run_seconds_mean": 0.3126,
        },
        {
            "name": "mail",
            "tasks": {"failed": 2},
            "depth": 0,
            "oldest_age_seconds": None,
            "throughput_per_minute": 0.0,
            "run_seconds_mean": None,
        },
    ],
    "workers": 2,
}


def test_stats_are_listed_by_queue(server: respx.MockRouter) -> None:
    server.get("/stats").respond(200, json=STATS)

    assert taskq("stats").stdout == (
        "default\t5\t90.3\t5\t1\t0\t7\t0\t0\t12.3\t0.313\nmail\t0\t\t0\t0\t0\t0\t2\t0\t0.0\t\n"
    )
    assert json.loads(taskq("stats", "--json").stdout) == STATS


def test_a_watched_list_prints_what_has_changed(
    server: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(*tasks: dict[str, Any]) -> httpx.Response:
        return httpx.Response(200, json={"items": list(tasks), "next_cursor": None})

    first, second = wire_task(id="a"), wire_task(id="b")
    changed = wire_task(id="a", status="running", version=2)
    server.get("/tasks").mock(side_effect=[page(first), page(second, first), page(second, changed)])
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)
    result = taskq("list", "--watch=0.5")

    lines = [line.split("\t")[:2] for line in result.stdout.splitlines()]
    assert lines == [["a", "queued"], ["b", "queued"], ["a", "running"]]
    assert pauses == [0.5] * 3
    assert result.exit_code == 130


def test_a_watched_list_is_shown_in_place_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Session(None, as_json=False, terminal=True).watching() as show:
        show([a_task(title="first")])
        show([a_task(title="second", handler="h")])

    assert "second" in capsys.readouterr().out


def test_json_may_come_before_or_after_the_command(server: respx.MockRouter) -> None:
    server.get(f"/tasks/{ID}").respond(200, json=wire_task())

    assert taskq("--json", "get", ID).stdout == taskq("get", "--json", ID).stdout
    assert json.loads(taskq("get", ID, "--json").stdout) == wire_task()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_learns_to_complete(shell: str) -> None:
    assert "_TASKQ_COMPLETE" in taskq("completion", shell).stdout


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("taskq h", ["handlers"]),
        ("taskq submit taskq.f", ["taskq.flaky"]),
        ("taskq run --ti", ["--title", "--timeout"]),
        ("taskq get 000000", ["00000001-0000-7000-8000-000000000001"]),
    ],
)
def test_commands_options_handlers_and_ids_are_completed(
    words: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTaskq()
    fake.client().submit("taskq.echo", {"value": 1})
    monkeypatch.setattr(
        "taskq_client.cli.completion.TaskqClient",
        lambda url, **options: fake.client(url=url, **options),
    )
    variables = {"_TASKQ_COMPLETE": "bash_complete", "COMP_WORDS": words}
    result = taskq(**variables, COMP_CWORD=str(words.count(" ")))

    assert [line.partition(",")[2] for line in result.stdout.splitlines()] == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("words", ["taskq submit x", "taskq get 0"])
def test_what_completion_shows_steers_no_terminal(
    shell: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is older, or somebody else's, may have any text in its answers."""
    hostile = "x\x1b]0;pwned\x07\nFAKE\x9b2J\u202edesrever\u200b"
    handler = {"name": hostile, "description": hostile, "schema": {}, "workers": 1}
    handler |= {"max_retries": 3, "timeout_seconds": 1.0}
    page = {"items": [wire_task(id="0", title=hostile)], "next_cursor": None}
    transport = httpx.MockTransport(
        lambda request: httpx.Response(
            200, json={"items": [handler]} if request.url.path == "/handlers" else page
        )
    )
    monkeypatch.setattr(
        "taskq_client.cli.completion.TaskqClient",
        lambda url, **options: TaskqClient(url, transport=transport, **options),
    )
    variables = {"_TASKQ_COMPLETE": f"{shell}_complete", "COMP_WORDS": words}
    result = taskq(**variables, COMP_CWORD=words[-1] if shell == "fish" else "2")

    assert "x" in result.stdout or "0" in result.stdout
    assert all(line.replace("\t", " ").isprintable() for line in result.stdout.splitlines())
    assert not any(line.startswith("FAKE") for line in result.stdout.splitlines())


def test_completion_without_a_server_completes_nothing() -> None:
    variables = {"_TASKQ_COMPLETE": "bash_complete", "TASKQ_URL": "http://127.0.0.1:9"}
    for words in ("taskq submit x", "taskq get x"):
        result = taskq(**variables, COMP_WORDS=words, COMP_CWORD="2")
        assert (result.exit_code, result.stdout) == (0, "\n")


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    script = (
        "import itertools, httpx\n"
        "from taskq_client import Task\n"
        "from taskq_client.cli import main, session\n"
        "from tests.unit.client.support import a_task\n"
        "class Client:\n"
        "    __enter__ = lambda self: self\n"
        "    __exit__ = lambda self, *_: None\n"
        "    list = lambda self, **_: itertools.repeat(a_task())\n"
        "session.TaskqClient = lambda url, **_: Client()\n"
        "main(['list', '--limit', '100000'])\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_queues_are_paused_with_a_note_and_resumed(server: respx.MockRouter) -> None:
    pause = server.post(path="/queues/a/b/pause").respond(
        200, json={"name": "a/b", "paused": True, "note": "down\tnow", "depth": 3}
    )
    server.post(path="/queues/a/b/resume").respond(200, json={"name": "a/b"})

    paused = taskq("queues", "pause", "a/b", "--note", "down\tnow")
    resumed = taskq("queues", "resume", "a/b", "--json")

    assert paused.stdout == "a/b\t\t3\t0\t\t0.0\t0\tdown\\tnow\n"
    assert json.loads(pause.calls.last.request.content) == {"note": "down\tnow"}
    assert json.loads(resumed.stdout)["paused"] is False


def test_a_pause_that_is_refused_is_said_in_one_sentence(server: respx.MockRouter) -> None:
    server.post(path="/queues/mails/pause").respond(
        403, json={"code": "forbidden", "title": "Forbidden", "detail": "no tasks:operate"}
    )
    result = taskq("queues", "pause", "mails")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.count("\n") == 1
    assert "tasks:operate" in result.stderr

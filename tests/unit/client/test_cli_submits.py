"""The command `taskq`: tasks are submitted with payloads in parts, and run to their results."""

import json
from pathlib import Path

import httpx
import pytest
import respx

from taskq_client import TaskqClient
from taskq_client.cli.session import Session
from tests.unit.client.commands import ID, taskq, wire_task
from tests.unit.client.support import events


def test_a_payload_is_made_of_its_parts(server: respx.MockRouter, tmp_path: Path) -> None:
    route = server.post("/tasks").respond(201, json=wire_task())
    file = tmp_path / "part.json"
    file.write_text('{"a": 1, "month": "file"}', encoding="utf-8")

    taskq("submit", "h", f"@{file}", "month=2026=10", "rows:=[1, null]", "empty=", "x:=2", "x:=3")
    taskq("submit", "h", "-", "--payload", '{"b": 1, "c": 1}', "--tag", "t", stdin='{"c": 2}')
    taskq("submit", "h", "url=http://x", "note:y=z")

    bodies = [json.loads(call.request.content) for call in route.calls]
    assert bodies[0]["payload"] == {
        "a": 1, "month": "2026=10", "rows": [1, None], "empty": "", "x": 3,
    }  # fmt: skip
    assert bodies[1] == {"handler": "h", "payload": {"b": 1, "c": 2}, "tags": ["t"]}
    assert bodies[2]["payload"] == {"url": "http://x", "note:y": "z"}


def test_run_prints_the_result_as_json(server: respx.MockRouter) -> None:
    server.post("/tasks").respond(201, json=wire_task())
    wait = server.get(f"/tasks/{ID}")
    wait.respond(200, json=wire_task(status="succeeded", result={"é": [1, "x"]}))

    result = taskq("run", "h", "a=1", "--wait", "5")

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"é": [1, "x"]}
    assert result.stdout.count("\n") == 1
    assert 4 < float(wait.calls.last.request.url.params["wait"]) <= 5


@pytest.mark.parametrize("command", [("submit",), ("run",), ("submit", "--wait=5")])
@pytest.mark.parametrize("status", [200, 201])
def test_a_submit_to_a_queue_without_workers_says_so(
    server: respx.MockRouter, command: tuple[str, ...], status: int
) -> None:
    server.post("/tasks").respond(
        status, json=wire_task(queue="mails"), headers={"Queue-Listeners": "0"}
    )
    is_waited_for = command != ("submit",)
    if is_waited_for:
        server.get(f"/tasks/{ID}").respond(200, json=wire_task(status="succeeded"))

    result = taskq(*command, "h")

    said = "taskq: no live worker listens to queue mails; the task waits until one does.\n"
    assert (result.exit_code, result.stderr) == (0, said)
    assert is_waited_for or result.stdout == f"{ID}\n"


@pytest.mark.parametrize("command", [("submit",), ("run",), ("submit", "--wait=5")])
@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ((), "queued", "has the unique key and is queued, and"),
        (("--on-conflict", "return"), "running", "has the unique key and is running, and"),
        (("--on-conflict", "replace"), "running", "has the unique key and is running, and"),
        (
            ("--on-conflict", "replace"), "retrying",
            "had the unique key and waited; its payload and start are replaced, and",
        ),
    ],
)  # fmt: skip
def test_a_submit_that_finds_a_task_with_its_unique_key_says_so(
    server: respx.MockRouter,
    command: tuple[str, ...],
    options: tuple[str, ...],
    status: str,
    said: str,
) -> None:
    server.post("/tasks").respond(
        200, json=wire_task(status=status), headers={"Unique-Conflict": "true"}
    )
    is_waited_for = command != ("submit",)
    if is_waited_for:
        server.get(f"/tasks/{ID}").respond(200, json=wire_task(status="succeeded"))

    result = taskq(*command, "h", "--unique-key", "k", *options)

    sentence = f"taskq: task {ID} {said} no other was submitted.\n"
    assert (result.exit_code, result.stderr) == (0, sentence)
    assert is_waited_for or result.stdout == f"{ID}\n"


@pytest.mark.parametrize("command", [("submit", "h", "--on-conflict", "reject"), ("retry", ID)])
def test_a_refusal_because_of_a_unique_key_says_what_to_wait_for(
    server: respx.MockRouter, command: tuple[str, ...]
) -> None:
    problem = {
        "code": "unique-conflict",
        "detail": f"the task {ID} has this unique key",
        "task": {"id": ID, "status": "running"},
    }
    server.post(url__regex=".*").respond(
        409, json=problem, headers={"content-type": "application/problem+json"}
    )

    result = taskq(*command)

    assert result.exit_code == 3
    assert result.stderr == (
        f"taskq: the task {ID} has this unique key (409 unique-conflict); "
        f"wait for its end with 'taskq wait {ID}'.\n"
    )


def test_run_fails_as_its_task_does(server: respx.MockRouter) -> None:
    server.post("/tasks").respond(201, json=wire_task())
    server.get(f"/tasks/{ID}").respond(200, json=wire_task(status="failed"))

    result = taskq("run", "h")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "failed in attempt 0" in result.stderr


def test_run_shows_the_progress_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        running = wire_task(version=2, progress={"current": 3, "total": 4, "message": "[red]x"})
        stream = events(wire_task(), running, wire_task(version=3, status="succeeded", result=7))
        if request.url.path.endswith("/events"):
            return httpx.Response(200, headers=stream.headers, content=stream.body)
        return httpx.Response(201, json=wire_task())

    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with TaskqClient(transport=httpx.MockTransport(serve)) as client:
        task = Session(None, as_json=False, terminal=True).watch(client.submit("h"), None)

    assert task.result == 7
    printed = capsys.readouterr()
    assert "[red]x" in printed.err
    assert printed.out == ""

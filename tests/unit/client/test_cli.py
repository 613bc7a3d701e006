"""The command `taskq`: what it sends, what it prints, how it ends."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from click.testing import CliRunner, Result

from taskq_client.cli import main
from taskq_client.cli.session import Session
from tests.unit.client.commands import ID, taskq, wire_task
from tests.unit.client.support import a_task

PROBLEM = {"content-type": "application/problem+json"}
LIST_ITEM = {k: v for k, v in wire_task().items() if k not in ("payload", "result", "errors")}


def refusal(result: Result) -> tuple[int, str]:
    """The exit code and the one sentence."""
    assert result.stderr.startswith("taskq: ")
    assert result.stderr.endswith(".\n")
    assert result.stderr.count("\n") == 1
    return result.exit_code, result.stderr[len("taskq: ") : -2]


def test_submit_sends_every_option_and_prints_the_id(server: respx.MockRouter) -> None:
    route = server.post("/tasks").respond(201, json=wire_task())

    result = taskq(
        *("submit", "reports.build", "--payload", '{"month": "2026-10"}', "--title", "October"),
        *("--priority", "high", "--tag", "a", "--tag", "b", "--queue", "q", "--max-retries", "5"),
        *("--timeout", "60", "--delay", "1.5", "--keep", "86400", "--idempotency-key", "mine"),
        *("--unique-key", "c-17", "--on-conflict", "replace"),
    )

    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{ID}\n", "")
    assert json.loads(route.calls.last.request.content) == {
        "handler": "reports.build",
        "payload": {"month": "2026-10"},
        "title": "October",
        "priority": "high",
        "tags": ["a", "b"],
        "queue": "q",
        "max_retries": 5,
        "timeout_seconds": 60,
        "delay_seconds": 1.5,
        "keep_seconds": 86_400,
        "unique_key": "c-17",
        "on_conflict": "replace",
    }
    assert route.calls.last.request.headers["idempotency-key"] == "mine"


def test_submit_sends_nothing_that_was_not_given(server: respx.MockRouter) -> None:
    route = server.post("/tasks").respond(201, json=wire_task())

    taskq("submit", "h")

    assert json.loads(route.calls.last.request.content) == {"handler": "h"}


def test_a_payload_may_come_from_a_file_or_stdin(server: respx.MockRouter, tmp_path: Path) -> None:
    route = server.post("/tasks").respond(201, json=wire_task())
    file = tmp_path / "payload.json"
    file.write_text('{"city": "城"}', encoding="utf-8")

    taskq("submit", "h", "--payload", f"@{file}")
    taskq("submit", "h", "--payload", "-", stdin='{"city": "城"}')

    bodies = [json.loads(call.request.content)["payload"] for call in route.calls]
    assert bodies == [{"city": "城"}] * 2


def test_get_prints_a_line_for_each_field(server: respx.MockRouter) -> None:
    server.get(f"/tasks/{ID}").respond(200, json=wire_task(title="tab\there\x1b[31m", run_at=None))

    result = taskq("get", ID)

    lines = dict(line.split("\t") for line in result.stdout.splitlines())
    assert result.exit_code == 0
    assert list(lines) == list(wire_task())
    assert lines["title"] == "tab\\there\\x1b[31m"
    assert lines["payload"] == '{"month": "2026-10"}'
    assert lines["status"] == "queued"
    assert lines["run_at"] == ""


def test_json_is_what_the_server_sent(server: respx.MockRouter) -> None:
    server.get(f"/tasks/{ID}").respond(200, json=wire_task(title="城"))
    server.get("/tasks").respond(200, json={"items": [LIST_ITEM], "next_cursor": None})

    assert json.loads(taskq("--json", "get", ID).stdout) == wire_task(title="城")
    assert json.loads(taskq("--json", "list").stdout) == [LIST_ITEM]


def test_list_sends_every_filter_and_prints_a_line_for_each_task(server: respx.MockRouter) -> None:
    route = server.get("/tasks").respond(200, json={"items": [LIST_ITEM], "next_cursor": None})

    result = taskq(
        *("list", "--status", "failed", "--status", "cancelled", "--priority", "high"),
        *("--tag", "a", "--tag", "b", "--handler", "h", "--handler", "i", "--q", "Oct"),
        *("--queue", "q", "--queue", "r", "--error-type", "OSError", "--attempt-min", "2"),
        *("--finished-after", "2026-10-03T12:00:00Z", "--finished-before", "2026-10-04T12:00:00Z"),
        *("--created-after", "2026-10-01T12:00:00Z", "--created-before", "2026-10-02T14:00+02:00"),
        *("--order", "created_at"),
    )

    assert result.stdout == (
        f"{ID}\tqueued\thigh\treports.build\t2026-10-01T12:00:00.123456Z\tOctober\n"
    )
    assert sorted(route.calls.last.request.url.params.multi_items()) == [
        ("attempt_min", "2"),
        ("created_after", "2026-10-01T12:00:00Z"),
        ("created_before", "2026-10-02T12:00:00Z"),
        ("error_type", "OSError"),
        ("finished_after", "2026-10-03T12:00:00Z"),
        ("finished_before", "2026-10-04T12:00:00Z"),
        ("handler", "h"),
        ("handler", "i"),
        ("limit", "50"),
        ("order", "created_at"),
        ("priority", "high"),
        ("q", "Oct"),
        ("queue", "q"),
        ("queue", "r"),
        ("status", "cancelled"),
        ("status", "failed"),
        ("tag", "a"),
        ("tag", "b"),
    ]


def test_the_limit_of_a_list_is_over_all_pages(server: respx.MockRouter) -> None:
    full = {"items": [LIST_ITEM] * 200, "next_cursor": "more"}
    route = server.get("/tasks").respond(200, json=full)

    result = taskq("list", "--limit", "250")

    assert len(result.stdout.splitlines()) == 250
    assert [call.request.url.params["limit"] for call in route.calls] == ["200", "200"]


def test_wait_shows_the_task_and_ends_well_if_it_did(server: respx.MockRouter) -> None:
    route = server.get(f"/tasks/{ID}").respond(200, json=wire_task(status="succeeded"))

    result = taskq("wait", ID)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "status\tsucceeded\n" in result.stdout
    assert route.calls.last.request.url.query == b"wait=20"


@pytest.mark.parametrize(
    ("ended", "sentence"),
    [
        (
            {
                "status": "failed",
                "attempt": 2,
                "errors": [{"attempt": 2, "outcome": "failed", "type": "E", "message": "a\nb"}],
            },
            f"task {ID} (reports.build) failed in attempt 2: E: a b; "
            "see 'taskq get', and run it again with 'taskq retry'",
        ),
        (
            {"status": "cancelled"},
            f"task {ID} (reports.build) was cancelled; run it again with 'taskq retry'",
        ),
    ],
)
def test_a_task_that_did_not_succeed_is_exit_code_1(
    server: respx.MockRouter, ended: dict[str, Any], sentence: str
) -> None:
    server.post("/tasks").respond(201, json=wire_task())
    server.get(f"/tasks/{ID}").respond(200, json=wire_task(**ended))

    for command in (["wait", ID], ["submit", "h", "--wait"], ["submit", "h", "--wait=9"]):
        result = taskq(*command)
        assert refusal(result) == (1, sentence)
        assert f"status\t{ended['status']}\n" in result.stdout
    assert taskq("get", ID).exit_code == 0


def test_a_wait_that_times_out_is_exit_code_5(server: respx.MockRouter) -> None:
    server.post("/tasks").respond(201, json=wire_task())
    server.get(f"/tasks/{ID}").respond(200, json=wire_task())
    sentence = f"task {ID} (reports.build) is still queued; go on waiting with 'taskq wait'"

    assert refusal(taskq("wait", ID, "--timeout", "0")) == (5, sentence)
    assert refusal(taskq("submit", "h", "--wait", "0")) == (5, sentence)


@pytest.mark.parametrize("command", ["cancel", "retry"])
def test_cancel_and_retry_show_the_task(server: respx.MockRouter, command: str) -> None:
    server.post(f"/tasks/{ID}/{command}").respond(202, json=wire_task(version=9))

    result = taskq(command, ID)

    assert result.exit_code == 0
    assert "version\t9\n" in result.stdout


@pytest.mark.parametrize(
    ("status", "body", "code", "advice"),
    [
        (404, {"code": "task-not-found", "detail": "No task has it."}, 3, "'taskq list'"),
        (404, {"code": "not-found", "detail": "Nothing is here."}, 4, "correct the path in --url"),
        (421, {"code": "misdirected-request", "detail": "No."}, 3, "TASKQ_ALLOWED_HOSTS"),
        (401, {"code": "unauthenticated", "detail": "Who?"}, 3, "put a key into TASKQ_API_KEY"),
        (403, {"code": "forbidden", "detail": "Not you."}, 3, "'taskq whoami' says"),
        (429, {"code": "rate-limited", "detail": "Slow."}, 3, "try again in a moment"),
        (413, {"code": "payload-too-large", "detail": "Big."}, 3, "make the payload smaller"),
        (422, {"code": "idempotency-mismatch", "detail": "Used."}, 3, "another --idempotency-key"),
        (409, {"code": "invalid-transition", "detail": "It runs."}, 3, "'taskq get'"),
        (422, {"code": "unknown-handler", "detail": "No \x1b[31mhandler\n\x07."}, 3, "worker"),
        (422, {"code": "validation-failed", "detail": "No."}, 3, "correct the values"),
        (500, {"code": "internal", "detail": "Oh."}, 3, "log of the server"),
        (503, {"code": "unavailable", "detail": "No database."}, 4, "try again in a moment"),
    ],
)
def test_a_server_that_refuses_is_3_and_one_that_is_away_4(
    server: respx.MockRouter,
    status: int,
    body: dict[str, str],
    code: int,
    advice: str,
    slept: list[float],
) -> None:
    server.get(f"/tasks/{ID}").respond(status, json=body, headers=PROBLEM)

    ended, sentence = refusal(taskq("get", ID))

    assert ended == code
    assert advice in sentence
    assert f"({status} {body['code']}".rstrip() + ")" in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (httpx.ConnectError("refused"), "start the server, or name another with --url"),
        (httpx.ReadTimeout("x"), "check the server and try again"),
        (httpx.Response(200, html="<html>"), "names a taskq server"),
    ],
)
def test_nothing_or_nonsense_at_the_url_is_exit_code_4(
    server: respx.MockRouter, failure: Exception, advice: str, slept: list[float]
) -> None:
    server.get(f"/tasks/{ID}").mock(side_effect=[failure] * 3)

    code, sentence = refusal(taskq("get", ID))

    assert code == 4
    assert advice in sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing command; see 'taskq --help'"),
        (["fly"], "No such command 'fly'"),
        (["submit"], "Missing argument 'HANDLER'; see 'taskq submit --help'"),
        (["get", "--tabel", "x"], "No such option"),
        (["get", "../x"], "'../x' is not the id of a task; correct the value"),
        (["submit", "h", "--payload", "{"], "not JSON"),
        (["submit", "h", "--payload", "[" * 100_000], "not JSON"),
        (["submit", "h", "--payload", "[1]"], "a payload is a JSON object"),
        (["submit", "h", "--payload", '{"n": NaN}'], "cannot be sent as JSON"),
        (["submit", "h", "--payload", "@/does/not/exist"], "cannot read '/does/not/exist'"),
        (["submit", "h", "month"], "'month' is neither key=text, key:=json, @FILE nor -"),
        (["submit", "h", "=x"], "'=x' is neither"),
        (["run", "h", "rows:=many"], "not JSON"),
        (["run", "h", "@/does/not/exist"], "cannot read '/does/not/exist'"),
        (["submit", "h", "--priority", "huge"], "'huge' is not one of"),
        (["submit", "h", "--wait=soon"], "'soon' is not a valid"),
        (["list", "--created-after", "yesterday"], "is not a time such as 2026-10-01T12:00:00Z"),
        (["list", "--created-before", "2026-10-01"], "needs a time zone"),
        (["list", "--limit", "0"], "0 is not in the range"),
        (["--url", "nowhere", "list"], "'nowhere' is not the url of a server"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str], sentence: str) -> None:
    with respx.mock():
        code, said = refusal(taskq(*arguments))

    assert code == 2
    assert sentence in said


def test_ctrl_c_is_exit_code_130(server: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", press)
    server.get(f"/tasks/{ID}").respond(200, json=wire_task())

    result = taskq("wait", ID)

    assert result.exit_code == 130
    assert "taskq: interrupted; a task that was submitted goes on.\n" in result.stderr


def test_the_url_is_the_option_else_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_URL", "http://from.variable")
    with respx.mock() as server:
        one = server.get(f"http://from.variable/tasks/{ID}").respond(200, json=wire_task())
        two = server.get(f"http://from.option/tasks/{ID}").respond(200, json=wire_task())
        assert taskq("get", ID).exit_code == 0
        assert taskq("--url", "http://from.option", "get", ID).exit_code == 0

    assert (one.call_count, two.call_count) == (1, 1)


def test_help_documents_the_exit_codes() -> None:
    result = taskq("--help")

    assert result.exit_code == 0
    for code in ("0  done", "1  the task failed", "2  a wrong", "3  the server", "4  the server"):
        assert code in result.stdout
    assert "5  the wait timed out" in result.stdout
    assert "130  interrupted" in result.stdout
    assert taskq("--version").stdout == "taskq, version 0.1.0\n"


def test_text_that_stdout_cannot_show_is_escaped(server: respx.MockRouter) -> None:
    server.get(f"/tasks/{ID}").respond(200, json=wire_task(title="é城"))

    result = CliRunner(charset="latin-1").invoke(main, ["get", ID])

    assert result.exit_code == 0
    assert "title\té\\u57ce\n" in result.stdout


def test_what_a_server_says_breaks_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "[red]x\n\x1b[31m\x9b"
    error = {"attempt": 1, "outcome": hostile, "type": hostile, "message": hostile}
    task = a_task(
        id="01a209b0-851b-7003-b54c-131f9920159f",
        **dict.fromkeys(("title", "handler", "status", "priority", "description"), hostile),
        errors=[{**error, "traceback": hostile}],
        result=hostile,
        worker_id=hostile,
        progress={"current": 1, "message": hostile},
        tags=[hostile],
        queue=hostile,
    )
    session = Session(None, as_json=False, terminal=True)

    session.show_all([task])
    session.show_submitted(task)
    session.show(task)
    session.show_attempts(task.errors)
    session.show_state(task)

    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert printed.count("[red]x\\n\\x1b[31m\\x9b") > 5
    assert printed.count(task.id) == 3


def test_of_many_attempts_a_terminal_gets_the_last_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    errors = [
        {"attempt": n, "outcome": "failed", "type": f"E{n}", "traceback": f"T{n}"}
        for n in range(1, 101)
    ]
    Session(None, as_json=False, terminal=True).show(a_task(id=ID, errors=errors))

    printed = capsys.readouterr().out
    assert [n for n in range(1, 101) if f"attempt {n} failed" in printed] == [*range(96, 101)]
    assert f"95 earlier attempts: taskq attempts {ID}" in printed
    assert ("  T100\n" in printed, "T99" in printed, "  E99\n" in printed) == (True, False, True)

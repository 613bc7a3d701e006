"""The words of `taskq`: which of them is whose value, what can be none, and what to correct."""

import json

import pytest
import respx
from click.testing import CliRunner, Result

from taskq_client.cli import main
from tests.unit.client.support import wire_task

URL = "http://127.0.0.1:8000"
ID = "0198c0de-0000-7000-8000-000000000001"


def taskq(*arguments: str, **variables: str) -> Result:
    result = CliRunner().invoke(main, arguments, prog_name="taskq", env=variables)
    assert isinstance(result.exception, SystemExit | None)
    return result


@pytest.mark.parametrize("command", ["submit", "run"])
@pytest.mark.parametrize(
    ("words", "handler", "seconds"),
    [
        ("--wait taskq.echo value:=42", "taskq.echo", 20),
        ("taskq.echo --wait value:=42", "taskq.echo", 20),
        ("--wait --title t taskq.echo value:=42", "taskq.echo", 20),
        ("--wait -- taskq.echo value:=42", "taskq.echo", 20),
        ("--wait= taskq.echo value:=42", "taskq.echo", 20),
        ("--wait=5 taskq.echo value:=42", "taskq.echo", 5),
        ("taskq.echo value:=42 --wait 5", "taskq.echo", 5),
        ("--wait 2.5 taskq.echo value:=42", "taskq.echo", 2.5),
        ("--wait nan value:=42", "nan", 20),
        ("--wait inf value:=42", "inf", 20),
        ("--wait 1e3 value:=42", "1e3", 20),
        ("--wait 5.mails value:=42", "5.mails", 20),
    ],
)
def test_wait_never_eats_a_word(command: str, words: str, handler: str, seconds: float) -> None:
    with respx.mock(base_url=URL) as server:
        submitted = server.post("/tasks").respond(201, json=wire_task(id=ID))
        waited = server.get(f"/tasks/{ID}")
        waited.respond(200, json=wire_task(id=ID, status="succeeded"))

        assert taskq(command, *words.split()).exit_code == 0

    body = json.loads(submitted.calls.last.request.content)
    assert (body["handler"], body["payload"]) == (handler, {"value": 42})
    asked = float(waited.calls.last.request.url.params["wait"])
    assert seconds - 1 < asked <= seconds


def test_a_value_that_looks_like_an_option_stays_a_value() -> None:
    with respx.mock(base_url=URL) as server:
        submitted = server.post("/tasks").respond(201, json=wire_task(id=ID))

        assert taskq("submit", "--title", "--wait", "h", "--", "--wait=5").exit_code == 0

    body = json.loads(submitted.calls.last.request.content)
    assert body == {"handler": "h", "title": "--wait", "payload": {"--wait": "5"}}


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e30", "-1", "soon", "1e999"])
@pytest.mark.parametrize(
    "words",
    [
        *("submit h --wait", "run h --wait", "submit h --timeout", "submit h --delay"),
        *("submit h --max-retries", "submit h --keep", "list --watch", "list --limit"),
        *(f"wait {ID} --timeout", f"events {ID} --timeout"),
    ],
)
def test_a_number_that_is_none_is_a_usage_error(words: str, number: str) -> None:
    with respx.mock():
        result = taskq(*f"{words}={number}".split())

    assert result.exit_code == 2
    assert result.stderr.startswith(f"taskq: Invalid value for '{words.split()[-1]}': ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("number", ["0", "-5", "1e30"])
def test_a_pause_between_two_looks_is_over_0(number: str) -> None:
    with respx.mock():
        assert taskq("list", f"--watch={number}").exit_code == 2


@pytest.mark.parametrize(
    "command", ["get", "attempts", "wait", "events", "cancel", "retry", "delete"]
)
@pytest.mark.parametrize(
    "word", ["abc", "", "taskq.echo", "0198c0d-e", f"{ID}0", "../x", "\udcff", "-", "01g"]
)
def test_what_can_be_no_id_is_said_to_be_none_and_asked_from_nobody(
    command: str, word: str
) -> None:
    with respx.mock():
        result = taskq(command, word)

    said = f"taskq: {word!r} is not the id of a task; correct the value, or find the id with"
    assert result.exit_code == 2
    assert result.stderr.startswith(said.encode("utf-8", "backslashreplace").decode())


@pytest.mark.parametrize(
    ("words", "variables", "correct"),
    [
        ("", {"TASKQ_TIMEOUT": "10s"}, "TASKQ_TIMEOUT"),
        ("", {"TASKQ_TIMEOUT": "0"}, "TASKQ_TIMEOUT"),
        ("", {"TASKQ_API_KEY": "schlüssel"}, "TASKQ_API_KEY"),
        ("", {"TASKQ_URL": "timeout"}, "--url or TASKQ_URL"),
        ("--url ftp://x", {}, "--url or TASKQ_URL"),
        ("--url http://proxy.example:99999", {}, "--url or TASKQ_URL"),
    ],
)
def test_the_advice_names_what_is_wrong(
    words: str, variables: dict[str, str], correct: str
) -> None:
    result = taskq(*words.split(), "stats", **variables)

    assert result.exit_code == 2
    assert result.stderr.endswith(f"; correct {correct}.\n")


@pytest.mark.parametrize(
    ("variable", "value", "correct"),
    [("HTTPS_PROXY", "nonsense://x:y", "PROXY"), ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE")],
)
def test_the_advice_for_a_bad_proxy_or_certificate_is_about_these(
    variable: str, value: str, correct: str
) -> None:
    result = taskq("--url", "https://taskq.example", "stats", **{variable: value})

    assert result.exit_code == 2
    assert correct in result.stderr.rpartition("; correct ")[2]
    assert "--url" not in result.stderr

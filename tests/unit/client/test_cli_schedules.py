"""The commands `taskq schedules`, against a fake."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from taskq_client import TaskqClient
from taskq_client.cli import main
from taskq_client.cli.session import Session
from taskq_client.testing import FakeTaskq

START = datetime(2026, 10, 24, tzinfo=UTC)
FILE = """\
schedules:
  nightly:
    cron: "0 6 * * *"
    timezone: Europe/Berlin
    starts_at: 2026-11-01T00:00:00Z
    task:
      handler: taskq.echo
      payload: {value: 1}
      tags: [b, a]
      timeout_seconds: 60
  pulse:
    every_seconds: 300
    task: {handler: taskq.echo, payload: {value: 2}}
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeTaskq:
    """A fake that the command calls, whose time stands still."""
    taskq = FakeTaskq(clock=lambda: START)
    monkeypatch.setattr(Session, "client", lambda session: taskq.client())
    return taskq


@pytest.fixture
def client(server: FakeTaskq) -> TaskqClient:
    return server.client()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "schedules.yaml"
    path.write_text(FILE)
    return path


def run(*arguments: object, stdin: str | None = None) -> Result:
    words = ["schedules", *map(str, arguments)]
    result = CliRunner().invoke(main, words, input=stdin, prog_name="taskq")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def names(client: TaskqClient) -> list[str]:
    return [each.name for each in client.schedules.list()]


def test_a_schedule_is_set_shown_paused_fired_and_deleted(client: TaskqClient) -> None:
    options = ("--every", "2.5", "--overlap", "queue", "--jitter", 1, "--note", "why", "--paused")
    made = run("set", "mails", *options, "--tag", "a", "taskq.echo", "value:=1")
    assert (made.exit_code, made.stderr) == (0, "")
    assert made.stdout == ("mails\ttaskq.echo\t\t2.5\tUTC\t2026-10-24T00:00:00Z\t\t\t0\t0\t0\n")
    shown = dict(line.split("\t") for line in run("show", "mails").stdout.splitlines())
    assert (shown["overlap"], shown["note"], shown["jitter_seconds"]) == ("queue", "why", "1.0")
    assert json.loads(shown["task"])["tags"] == ["a"]
    assert json.loads(run("resume", "mails", "--json").stdout)["paused"] is False
    assert json.loads(run("pause", "mails", "--note", "x", "--json").stdout)["note"] == "x"
    assert [line.split("\t")[0] for line in run("list", "--paused").stdout.splitlines()] == [
        "mails"
    ]
    assert run("list", "--not-paused").stdout == ""
    task = client.get(run("fire", "mails").stdout.strip())
    assert task.schedule is not None
    assert task.schedule.name == "mails"
    assert run("delete", "mails").stdout == ""
    assert names(client) == []


def test_what_is_wrong_is_one_sentence(server: FakeTaskq) -> None:
    for words, code, said in (
        (("show", "nobody"), 3, "find the name with 'taskq schedules list'"),
        (("set", "n", "--cron", "* *", "taskq.echo", "value=1"), 3, "five fields"),
        (
            ("set", "n", "--cron", "@daily", "--timezone", "Mars", "taskq.echo", "value=1"),
            3,
            "IANA",
        ),
        (("set", "n", "--cron", "@daily", "taskq.ehco"), 3, "did you mean 'taskq.echo'"),
        (("set", "n", "--every", "0.5", "taskq.echo"), 2, "--every"),
        (("show", "preview"), 2, "not the name of a schedule"),
        (("apply", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("paus",), 2, "did you mean 'pause'"),
    ):
        result = run(*words)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (code, "", 1), words
        assert said in result.stderr


def test_a_preview_is_a_line_for_each_time(server: FakeTaskq) -> None:
    shown = run("preview", "--cron", "0 6 * * *", "--timezone", "Europe/Berlin", "--count", 2)
    assert shown.stdout == "2026-10-24T04:00:00Z\n2026-10-25T05:00:00Z\n"
    assert len(json.loads(run("preview", "--every", 60, "--json").stdout)["times"]) == 10


def test_a_file_is_shown_as_a_plan_and_applied_once(client: TaskqClient, file: Path) -> None:
    assert run("apply", file, "--dry-run").stdout == "created\tnightly\t\ncreated\tpulse\t\n"
    silent = run("apply", file, stdin="")
    assert (silent.exit_code, "add --yes" in silent.stderr) == (2, True)
    declined = run("apply", file, stdin="n\n")
    assert (declined.exit_code, "Apply 2 changes?" in declined.stderr) == (0, True)
    assert names(client) == []
    assert run("apply", file, stdin="y\n").exit_code == 0
    made = client.schedules.get("nightly")
    assert (made.cron, made.timezone, made.starts_at) == (
        *("0 6 * * *", "Europe/Berlin"),
        datetime(2026, 11, 1, tzinfo=UTC),
    )
    assert run("apply", file).stdout == "unchanged\tnightly\t\nunchanged\tpulse\t\n"
    assert client.schedules.get("nightly") == made


def test_what_differs_is_named_and_what_people_did_is_kept(client: TaskqClient, file: Path) -> None:
    run("apply", file, "--yes")
    client.schedules.pause("nightly", note="not now")
    client.schedules.set("other", "taskq.echo", {"value": 1}, cron="@daily")
    assert run("apply", file).stdout == "unchanged\tnightly\t\nunchanged\tpulse\t\n"
    file.write_text(FILE.replace("0 6 *", "0 7 *").replace("{value: 1}", "{value: 3}"))
    result = run("apply", file, "--yes", "--json")
    assert json.loads(result.stdout)[0] == {
        "action": "changed",
        "name": "nightly",
        "changes": {
            "cron": {"from": "0 6 * * *", "to": "0 7 * * *"},
            "task.payload": {"from": {"value": 1}, "to": {"value": 3}},
        },
    }
    changed = client.schedules.get("nightly")
    assert (changed.cron, changed.paused, changed.note) == ("0 7 * * *", True, "not now")
    assert names(client) == ["nightly", "other", "pulse"]
    pruned = run("apply", file, "--prune", "--yes")
    assert pruned.stdout == "unchanged\tnightly\t\ndeleted\tother\t\nunchanged\tpulse\t\n"
    assert names(client) == ["nightly", "pulse"]


def test_times_that_cannot_be_are_refused_before_anything_changes(
    client: TaskqClient, file: Path
) -> None:
    file.write_text(FILE.replace("every_seconds: 300", 'cron: "61 * * * *"'))
    for how in ("--dry-run", "--yes"):
        result = run("apply", file, how)
        assert result.exit_code == 3
        assert "pulse: cannot be; nothing is changed" in result.stderr
        assert "/cron" in result.stderr
    assert names(client) == []


def test_a_refused_step_says_how_far_it_came(client: TaskqClient, file: Path) -> None:
    head, pulse, tail = FILE.partition("pulse:")
    file.write_text(head + pulse + tail.replace("taskq.echo", "nobody.has.this"))
    result = run("apply", file, "--yes")
    assert result.exit_code == 3
    assert "pulse: refused; 1 of 2 changes are made" in result.stderr
    assert names(client) == ["nightly"]


def test_json_needs_no_yaml(
    client: TaskqClient, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = {"handler": "taskq.echo", "payload": {"value": 1}}
    text = json.dumps({"schedules": {"n": {"cron": "@daily", "task": task}}})
    monkeypatch.setitem(sys.modules, "yaml", None)
    refused = run("apply", file, "--dry-run")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "install 'taskq-client[yaml]', or write the schedules as JSON" in refused.stderr
    assert run("apply", "-", "--yes", stdin=text).stdout == "created\tn\t\n"
    assert names(client) == ["n"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "it has schedules:"),
        ("schedules: {}\nmore: 1", "it has schedules:"),
        ("schedules: []", "one entry for each name"),
        ("schedules: {n: {cron: '@daily'}}", "needs a task:"),
        ("schedules: {n: {cron: '@daily', task: {payload: {}}}}", "needs a handler:"),
        ("schedules: {n: {crn: '@daily', task: {handler: h}}}", "'crn'"),
        ("schedules: {n: {task: {handler: h, cron: '@daily'}}}", "belongs beside task:"),
        ("schedules: {n: {task: {handler: h, run_at: 1}}}", "'run_at'"),
        ("schedules: {n: {cron: 5, task: {handler: h}}}", "cron"),
        ("schedules: {n: {cron: * * * * *, task: {handler: h}}}", "needs quotes"),
        ("schedules: {a b/../c: {cron: '@daily', task: {handler: h}}}", "name"),
        ("schedules: {'code:h': {cron: '@daily', task: {handler: h}}}", "declared in code"),
        ("schedules:\n  n: {task: {handler: h}}\n  n: {task: {handler: h}}", "'n' is there twice"),
        ('{"schedules": {"n": 1, "n": 2}}', "'n' is there twice"),
        ("{", "not JSON"),
        ("a: [", "not YAML"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(
    client: TaskqClient, file: Path, text: str, said: str
) -> None:
    file.write_text(text)
    result = run("apply", file, "--yes")
    assert (result.exit_code in (2, 3), result.stderr.count("\n")) == (True, 1), result.stderr
    assert said in result.stderr
    assert names(client) == []

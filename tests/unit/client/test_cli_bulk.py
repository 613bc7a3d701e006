"""The commands `taskq bulk`: they count, ask, begin, follow, list and stop."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from taskq_client import BulkCount, Conflict
from taskq_client.cli import main
from taskq_client.cli.bulk_view import question
from taskq_client.cli.problems import explain
from taskq_client.cli.session import Session
from taskq_client.testing import FakeTaskq, Step


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeTaskq:
    """A fake with five failed tasks, which the command calls; time passes while it waits only."""
    now = datetime.now(UTC)
    taskq = FakeTaskq(clock=lambda: now)
    taskq.on("reports.build", Step(error=ValueError("no"), fatal=True))
    client = taskq.client()
    for handle in [client.submit("reports.build", tags=["night"]) for _ in range(5)]:
        handle.wait(60)
    monkeypatch.setattr(Session, "client", lambda session: taskq.client())
    return taskq


def run(*arguments: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["bulk", *arguments], input=stdin, prog_name="taskq")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def states(server: FakeTaskq) -> list[str]:
    return [operation.state for operation in server.client().bulk_operations()]


def test_it_shows_the_count_and_asks(server: FakeTaskq) -> None:
    declined = run("retry", "--status", "failed", "--handler", "reports.build", stdin="n\n")
    assert declined.exit_code == 0
    assert "Retry 5 tasks (5 failed)? [y/N]" in declined.stderr
    assert "nothing was changed" in declined.stderr
    assert (declined.stdout, states(server)) == ("", [])
    silent = run("retry", "--status", "failed", stdin="")
    assert (silent.exit_code, "add --yes" in silent.stderr) == (2, True)
    meant = run("retry", "--status", "failed", stdin="y\n")
    assert meant.exit_code == 0
    fields = dict(line.split("\t") for line in meant.stdout.splitlines())
    assert (fields["action"], fields["state"], fields["done"]) == ("retry", "succeeded", "5")
    assert [task.attempt for task in server.tasks] == [2] * 5


def test_yes_asks_nobody_and_json_is_the_operation(server: FakeTaskq) -> None:
    result = run("delete", "--tag", "night", "--limit", "3", "--yes", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    operation = json.loads(result.stdout)
    assert (operation["done"], operation["filter"]) == (3, {"tag": ["night"]})
    assert len(server.tasks) == 2


def test_a_dry_run_only_counts(server: FakeTaskq) -> None:
    result = run("retry", "--status", "failed", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "count\t5\nexact\ttrue\n")
    counted = json.loads(run("delete", "--tag", "night", "--dry-run", "--json").stdout)
    assert (counted["count"], counted["by_status"]["failed"]) == (5, 5)
    assert states(server) == []


def test_nothing_is_begun_for_no_tasks(server: FakeTaskq) -> None:
    result = run("retry", "--status", "cancelled")
    assert (result.exit_code, result.stdout) == (0, "count\t0\nexact\ttrue\n")
    assert states(server) == []


def test_an_update_says_what_changes(server: FakeTaskq) -> None:
    client = server.client()
    waiting = client.submit("reports.build", delay_seconds=3600, priority="low")
    result = run("update", "--status", "queued", "--set-priority", "high", "--run-now", "--yes")
    assert result.exit_code == 0, result.output
    assert 'changes\t{"priority": "high", "run_at": null}' in result.stdout
    assert client.get(waiting).priority == "high"
    for wrong in ((), ("--run-now", "--set-run-at", "2026-10-01T12:00:00Z")):
        assert run("update", "--status", "queued", *wrong, "--yes").exit_code == 2


def test_operations_are_listed_shown_waited_for_and_stopped(server: FakeTaskq) -> None:
    begun = json.loads(run("retry", "--status", "failed", "-y", "--no-wait", "--json").stdout)
    assert begun["state"] == "running"
    short = begun["id"][:8]
    assert "state\tstopped" in run("stop", short).stdout
    assert "state\tstopped" in run("show", short).stdout
    assert run("wait", short).exit_code == 0
    assert run("list", "--state", "running").stdout == ""
    assert run("list").stdout.split("\t")[:3] == [begun["id"], "retry", "stopped"]
    assert [each["id"] for each in json.loads(run("list", "--json").stdout)] == [begun["id"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("retry",), 2, "name at least one filter, such as --status failed"),
        (("retry", "--status", "faild"), 2, "did you mean 'failed'?"),
        (("show", "xyz"), 2, "'xyz' is not the id of a bulk operation"),
        (("show", "0000"), 3, "find the id with 'taskq bulk list'"),
        (("stop", "0198c0de-0000-7000-8000-000000000001"), 3, "'taskq bulk list'"),
        (("delete", "--created-after", "2x"), 2, "'2x' is not a time such as"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    server: FakeTaskq, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_time_may_be_said_as_how_long_ago_it_was(server: FakeTaskq) -> None:
    assert run("delete", "--created-before", "2h", "--dry-run").stdout.startswith("count\t0")
    begun = json.loads(run("delete", "--created-after", "2h", "--yes", "--json").stdout)
    after = datetime.fromisoformat(begun["filter"]["created_after"])
    assert abs(datetime.now(UTC) - timedelta(hours=2) - after) < timedelta(minutes=10)
    assert begun["done"] == 5


def test_too_many_at_once_are_refused_with_advice() -> None:
    refusal = Conflict(409, "too-many-operations", "Too many", "20 bulk operations run", "1", ())
    code, said = explain(refusal)
    assert (code, "see them with 'taskq bulk list --state running'" in said) == (3, True)


def test_a_count_that_is_a_lower_bound_says_so() -> None:
    many = BulkCount(count=500_000, exact=False, by_status={"failed": 500_000})
    said = question("retry", many, 100_000)
    assert said == "retry more than 500,000 tasks (500,000 failed), 100,000 of them at most?"
    assert question("delete", BulkCount(count=1), 100_000) == "delete 1 task?"

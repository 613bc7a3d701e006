"""One task that wants too much is told off; the others do not notice."""

import time
from collections.abc import Iterator

import pytest

from tests.support.calls import (
    HANDLERS,
    Calls,
    counted,
    database_name,
    percentile,
    private_mariadb,
    repeats,
    timed,
)
from tests.support.mariadb import MariaDBServer
from tests.support.stack import NewStack, Stack

MEGABYTE = 1024 * 1024
MESSAGE_LIMIT = 8_192
TRACEBACK_LIMIT = 8_192


@pytest.fixture(scope="module")
def one(mariadb_server: MariaDBServer) -> Iterator[Stack]:
    """A stack with one worker, for all tests of this module."""
    settings = {"TASKQ_HANDLERS": HANDLERS, "TASKQ_CONCURRENCY": "2000"}
    with Stack("mariadb", mariadb=mariadb_server, settings=settings) as stack:
        yield stack


@pytest.fixture
def calls(one: Stack) -> Iterator[Calls]:
    with Calls(one.api_url) as opened:
        yield opened


def test_a_result_of_17_mb_fails_its_task_only(calls: Calls) -> None:
    beside = calls.submit_many(20, "taskq.echo", {"value": 1}, tags=["result"])
    task_id = calls.submit("bad.huge_result", {"size": 17 * MEGABYTE}, max_retries=3)
    failed = calls.until(task_id, "failed")
    ended = calls.until_quiet(30, tag="result")
    error = failed["errors"][-1]
    print(f"\nresult of 17 MB: {error['type']}: {error['message']}")
    assert (error["type"], failed["attempt"]) == ("InvalidResult", 1)
    assert failed["result"] is None
    assert counted(one["status"] for one in ended) == {"succeeded": len(beside)}


def test_an_error_message_of_1_mb_is_cut(calls: Calls) -> None:
    beside = calls.submit_many(20, "taskq.echo", {"value": 1}, tags=["message"])
    task_id = calls.submit("bad.huge_message", {"size": MEGABYTE}, max_retries=0)
    failed = calls.until(task_id, "failed")
    (attempt,) = calls.attempts(task_id)
    ended = calls.until_quiet(30, tag="message")
    message, traceback = failed["errors"][-1]["message"], attempt["traceback"]
    print(f"\nmessage of 1 MB: {len(message)} characters kept, traceback {len(traceback)}")
    assert failed["errors"][-1]["type"] == "ValueError"
    assert 0 < len(message.encode()) <= MESSAGE_LIMIT
    assert 0 < len(traceback.encode()) <= TRACEBACK_LIMIT
    assert counted(one["status"] for one in ended) == {"succeeded": len(beside)}


def test_an_outcome_that_the_database_refuses_fails_its_task_only(new_stack: NewStack) -> None:
    """A packet that is too large looks like a lost connection, and takes the whole batch along."""
    settings = {"TASKQ_HANDLERS": HANDLERS, "TASKQ_MAX_RESULT_BYTES": str(4 * MEGABYTE)}
    with private_mariadb() as server:
        server.sql(f"SET GLOBAL max_allowed_packet = {MEGABYTE}")
        stack = new_stack("mariadb", settings=settings, mariadb=server)
        with Calls(stack.api_url) as calls:
            heavy = calls.submit("bad.huge_result", {"size": 2 * MEGABYTE}, max_retries=3)
            beside = calls.submit_many(50, "bad.huge_result", {"size": 10}, tags=["beside"])
            ended = calls.get(heavy, wait=30)
            done = calls.until_quiet(30, tag="beside")
            again = calls.get(calls.submit("taskq.echo", {"value": 1}), wait=30)
    error = ended["errors"][-1]
    print(f"\nresult beyond the packet size: {error['type']}: {error['message']}")
    assert (ended["status"], ended["attempt"], error["type"]) == ("failed", 1, "OutcomeRefused")
    assert counted(one["status"] for one in done) == {"succeeded": len(beside)}
    assert {one["attempt"] for one in done} == {1}
    assert again["status"] == "succeeded"


def test_a_progress_storm_is_one_write_now_and_then(calls: Calls) -> None:
    reports = repeats(40_000, 200_000)
    started = time.monotonic()
    task_id = calls.submit("bad.storm", {"reports": reports, "each": 200})
    calls.until(task_id, "running")
    latencies = [timed(lambda: _echo(calls)) for _ in range(20)]
    beside = calls.get(task_id)
    final = calls.get(task_id, wait=60)
    seconds = time.monotonic() - started
    p95 = percentile(latencies, 95)
    print(
        f"\nprogress storm: {reports / seconds:,.0f} reports/s, version {final['version']} after "
        f"{seconds:.1f} s, an echo beside it takes {p95 * 1000:.0f} ms (p95)"
    )
    assert beside["status"] == "running", "the others ran beside the storm"
    assert final["status"] == "succeeded"
    assert final["progress"]["current"] == reports - 1, "the last report is the one that stays"
    assert final["version"] <= 2 * seconds + 6
    assert p95 < 2


def _echo(calls: Calls) -> None:
    task_id = calls.submit("taskq.echo", {"value": 1})
    assert calls.get(task_id, wait=30)["status"] == "succeeded"


@pytest.mark.parametrize("handler", ["bad.until_cancelled", "bad.until_cancelled_thread"])
def test_a_cancel_reaches_its_handler_within_a_second(calls: Calls, handler: str) -> None:
    seconds: list[float] = []
    for _ in range(repeats(20, 100)):
        task_id = calls.submit(handler)
        calls.until(task_id, "running")
        asked = time.monotonic()
        assert calls.cancel(task_id) == 202
        assert calls.get(task_id, wait=30)["status"] == "cancelled"
        seconds.append(time.monotonic() - asked)
    p50, p95 = percentile(seconds, 50), percentile(seconds, 95)
    print(f"\ncancel of {handler}: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms")
    assert p95 <= 1


def test_tasks_that_fail_together_are_not_tried_together(calls: Calls, one: Stack) -> None:
    count, at = 2_000, time.monotonic() + 6
    calls.submit_many(
        count,
        "bad.fail_at",
        {"at": at},
        max_retries=1,
        backoff_base_seconds=10,
        backoff_max_seconds=10,
        tags=["herd"],
    )
    ended = calls.until_quiet(50, tag="herd")
    retries = _retry_times(one)
    first = min(retries)
    buckets = counted(str(int(retry - first)) for retry in retries)
    mean, worst = count / len(buckets), max(buckets.values())
    print(f"\n{count} failures: {len(buckets)} buckets of 1 s, mean {mean:.0f}, worst {worst}")
    assert counted(one["status"] for one in ended) == {"failed": count}
    assert len(retries) == count
    assert len(buckets) >= 10
    assert worst <= 3 * mean


def _retry_times(stack: Stack) -> list[float]:
    assert stack.mariadb is not None
    name = database_name(stack)
    found = stack.mariadb.sql(
        "SELECT UNIX_TIMESTAMP(a.retry_at) FROM task_attempts a JOIN tasks t ON t.id = a.task_id "
        "WHERE t.handler = 'bad.fail_at' AND a.retry_at IS NOT NULL",
        name,
    )
    return [float(line) for line in found.split()]

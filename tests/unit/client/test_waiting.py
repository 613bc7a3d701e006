"""wait: long polls until the task has ended or the time is up."""

import pytest

from taskq_client._channels import finish
from taskq_client.errors import (
    InvalidTransition,
    NotFound,
    RateLimited,
    TaskqConnectionError,
    TaskqTimeout,
    WaitTimeout,
)
from tests.unit.client.support import (
    RecordingChannel,
    Reply,
    a_task,
    answer,
    core,
    core_over,
    late,
    problem,
    wire_task,
)

QUEUED = answer(200, wire_task())
RUNNING = answer(200, wire_task(status="running"))
DONE = answer(200, wire_task(status="succeeded", result=3))
LOST = TaskqConnectionError("the connection broke")


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_any_end_is_an_end(status: str) -> None:
    client, channel = core(answer(200, wire_task(status=status)))

    assert finish(client.waits.wait("0198c0de", None)).status == status
    assert channel.asked == ["GET /tasks/0198c0de?wait=20"]


def test_a_task_that_had_ended_is_asked_for_all_the_same() -> None:
    client, channel = core(QUEUED, DONE)

    assert finish(client.waits.wait(a_task(status="failed"), None)).result == 3
    assert len(channel.requests) == 2


def test_it_asks_again_until_the_deadline_and_no_longer_than_that() -> None:
    client, channel = core(late(20, QUEUED), late(20, RUNNING), late(5, RUNNING))

    with pytest.raises(WaitTimeout) as caught:
        finish(client.waits.wait("0198c0de", 45))

    assert channel.asked == [f"GET /tasks/0198c0de?wait={n}" for n in (20, 20, 5)]
    assert channel.sleeps == [0, 0]
    assert channel.now == 1045
    assert caught.value.task.status == "running"
    assert all(request.method == "GET" for request in channel.requests)


def test_the_answer_may_take_longer_than_the_server_was_asked_to_wait() -> None:
    client, channel = core(late(20, QUEUED), late(5, QUEUED), late(0, DONE))

    finish(client.waits.wait("0198c0de", 26))

    assert [request.timeout for request in channel.requests] == [28.0, 8.0, 3.0]
    assert [request.path[-2:] for request in channel.requests] == ["20", "=6", "=1"]

    client, channel = core(DONE)
    finish(client.waits.wait("0198c0de", None))
    assert channel.requests[0].timeout == 30.0


def test_a_deadline_is_exact_even_if_the_server_does_not_wait() -> None:
    channel = RecordingChannel([], for_ever=QUEUED)

    with pytest.raises(WaitTimeout):
        finish(core_over(channel).waits.wait("0198c0de", 0.6))

    waits = ["?wait=0.6", "?wait=0.35", "?wait=0.1", ""]
    assert channel.asked == [f"GET /tasks/0198c0de{wait}" for wait in waits]
    assert channel.sleeps == pytest.approx([0.25, 0.25, 0.1])
    assert channel.now == pytest.approx(1000.6)


def test_no_time_is_one_look() -> None:
    client, channel = core(QUEUED)

    with pytest.raises(WaitTimeout):
        finish(client.waits.wait("0198c0de", 0))

    assert channel.asked == ["GET /tasks/0198c0de"]
    assert channel.sleeps == []

    client, _ = core(DONE)
    assert finish(client.waits.wait("0198c0de", 0)).result == 3


def test_a_server_that_does_not_wait_is_not_flooded() -> None:
    client, channel = core(QUEUED, late(0.2, QUEUED), late(3, QUEUED), DONE)

    finish(client.waits.wait("0198c0de", None))

    assert channel.sleeps == pytest.approx([0.25, 0.05, 0.0])


def test_a_server_that_goes_away_meanwhile_is_asked_until_the_deadline() -> None:
    channel = RecordingChannel([late(20, QUEUED)], for_ever=LOST)

    with pytest.raises(WaitTimeout) as caught:
        finish(core_over(channel).waits.wait("0198c0de", 60))

    assert caught.value.task.status == "queued"
    assert channel.now == 1060
    assert channel.sleeps[1:6] == [0.5, 1, 2, 4, 8]
    assert max(channel.sleeps) == 8


def test_a_server_that_comes_back_is_forgiven() -> None:
    failures: list[Reply] = [LOST, TaskqTimeout("late"), problem(503), problem(502), LOST]
    client, channel = core(*failures, QUEUED, LOST, DONE)

    assert finish(client.waits.wait("0198c0de", 600)).result == 3
    assert channel.sleeps == [0.5, 1, 2, 4, 8, 0.25, 0.5]


def test_a_server_that_never_answers_is_not_a_wait_that_timed_out() -> None:
    channel = RecordingChannel([], for_ever=LOST)

    with pytest.raises(TaskqConnectionError):
        finish(core_over(channel).waits.wait("0198c0de", 30))

    assert channel.now == 1030


def test_a_known_task_is_the_last_snapshot_if_nothing_answers() -> None:
    channel = RecordingChannel([], for_ever=LOST)

    with pytest.raises(WaitTimeout) as caught:
        finish(core_over(channel).waits.wait(a_task(title="mine"), 30))

    assert caught.value.task.title == "mine"


def test_without_a_deadline_a_server_that_never_answers_gets_the_usual_tries() -> None:
    channel = RecordingChannel([], for_ever=LOST)

    with pytest.raises(TaskqConnectionError):
        finish(core_over(channel).waits.wait("0198c0de", None))

    assert len(channel.requests) == 3


def test_without_a_deadline_an_outage_in_between_is_sat_out() -> None:
    client, channel = core(QUEUED, *[LOST] * 50, DONE)

    assert finish(client.waits.wait("0198c0de", None)).result == 3
    assert channel.now > 1300


def test_without_a_deadline_an_outage_right_after_the_submit_is_sat_out() -> None:
    client, channel = core(*[LOST] * 50, DONE)

    assert finish(client.waits.wait(a_task(), None)).result == 3
    assert channel.now > 1300


def test_retry_after_is_honoured_but_not_past_the_deadline() -> None:
    channel = RecordingChannel([QUEUED], for_ever=problem(503, retry_after="7"))

    with pytest.raises(WaitTimeout):
        finish(core_over(channel).waits.wait("0198c0de", 10))

    assert channel.sleeps == pytest.approx([0.25, 7, 2.75])


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (problem(404, "task-not-found"), NotFound),
        (problem(409, "invalid-transition"), InvalidTransition),
        (problem(429, retry_after="90"), RateLimited),
    ],
)
def test_what_will_not_pass_ends_the_wait(reply, error) -> None:  # type: ignore[no-untyped-def]
    client, _ = core(QUEUED, reply)

    with pytest.raises(error):
        finish(client.waits.wait("0198c0de", 60))

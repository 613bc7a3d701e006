"""Which failures are tried again, when, and with what."""

from itertools import islice

import pytest

from taskq_client._channels import Answer, finish
from taskq_client.errors import (
    ConfigurationError,
    NotFound,
    RateLimited,
    TaskqAPIError,
    TaskqConnectionError,
    TaskqError,
    TaskqTimeout,
    Unavailable,
    UnexpectedAnswer,
)
from taskq_client.retry import RetryPolicy
from tests.unit.client.support import Reply, answer, core, late, problem, wire_task

LOST = TaskqConnectionError("the connection broke")
GONE = problem(404, "task-not-found")


def test_pauses_double_up_to_their_bound_and_are_as_many_as_the_retries() -> None:
    assert list(RetryPolicy(6, draw=lambda: 1.0).delays()) == [0.5, 1, 2, 4, 8, 8]
    assert list(RetryPolicy(draw=lambda: 1.0).delays()) == [0.5, 1]
    assert list(islice(RetryPolicy(0, draw=lambda: 1.0).delays(endless=True), 7))[-1] == 8


def test_jitter_is_full() -> None:
    draws = iter([0.0, 0.25, 1.0])

    assert list(RetryPolicy(3, draw=lambda: next(draws)).delays()) == [0.0, 0.25, 2.0]


def test_chance_is_drawn_from_a_real_source_by_default() -> None:
    pauses = {next(RetryPolicy().delays()) for _ in range(20)}

    assert len(pauses) > 1
    assert all(0 <= pause <= 0.5 for pause in pauses)


def test_fewer_than_no_retries_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_retries must be 0 or more"):
        RetryPolicy(-1)


@pytest.mark.parametrize(
    "failure",
    [LOST, TaskqTimeout("late"), *(problem(status) for status in (408, 429, 502, 503, 504))],
)
def test_what_may_pass_is_tried_again(failure: Reply) -> None:
    client, channel = core(failure, failure, answer(200, wire_task()))

    assert finish(client.tasks.get("0198c0de")).id == "0198c0de"
    assert channel.sleeps == [0.5, 1.0]


@pytest.mark.parametrize(
    "failure",
    [
        *(problem(status) for status in (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 500)),
        Answer(200, {"content-type": "text/html"}, b"<html>"),
    ],
)
def test_what_will_not_pass_is_raised_at_once(failure: Reply) -> None:
    client, channel = core(failure)

    with pytest.raises((TaskqAPIError, UnexpectedAnswer)):
        finish(client.tasks.get("0198c0de"))

    assert channel.sleeps == []


def test_the_last_failure_is_the_one_raised() -> None:
    client, channel = core(LOST, TaskqTimeout("late"), problem(503, detail="still starting"))

    with pytest.raises(Unavailable, match="still starting"):
        finish(client.tasks.get("0198c0de"))

    assert len(channel.requests) == 3


def test_no_retries_means_one_try() -> None:
    client, channel = core(LOST, max_retries=0)

    with pytest.raises(TaskqConnectionError):
        finish(client.tasks.get("0198c0de"))

    assert len(channel.requests) == 1


def test_all_tries_of_a_submit_are_the_same_request_with_one_key() -> None:
    created = answer(201, wire_task())
    client, channel = core(LOST, problem(503), created, created)

    finish(client.tasks.submit("h", {"n": 1}, None, {}))
    finish(client.tasks.submit("h", {"n": 1}, None, {}))

    assert channel.requests[0] == channel.requests[1] == channel.requests[2]
    keys = [request.headers["Idempotency-Key"] for request in channel.requests]
    assert keys == ["key-1", "key-1", "key-1", "key-2"]


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.1"}, 0.5),
        ({"retry_after": "60"}, 60.0),
        ({"retry_after": "soon"}, 0.5),
        ({"retry_after": "-5"}, 0.5),
        ({"retry_after": "1e999"}, 0.5),
        (
            {
                "date": "Thu, 01 Oct 2026 12:00:00 GMT",
                "retry_after": "Thu, 01 Oct 2026 12:00:09 GMT",
            },
            9.0,
        ),
        ({"retry_after": "Thu, 01 Oct 2026 12:00:09 GMT"}, 0.5),
        (
            {
                "date": "Thu, 01 Oct 2026 12:00:00 -0000",
                "retry_after": "Thu, 01 Oct 2026 12:00:09 GMT",
            },
            0.5,
        ),
    ],
)
def test_no_retry_is_earlier_than_the_server_asks(headers: dict[str, str], pause: float) -> None:
    client, channel = core(problem(429, **headers), answer(200, wire_task()))

    finish(client.tasks.get("0198c0de"))

    assert channel.sleeps == [pause]


def test_a_pause_of_more_than_a_minute_is_left_to_the_caller() -> None:
    client, channel = core(problem(429, retry_after="61"))

    with pytest.raises(RateLimited) as caught:
        finish(client.tasks.get("0198c0de"))

    assert caught.value.retry_after == 61
    assert channel.sleeps == []


@pytest.mark.parametrize("loss", [LOST, TaskqTimeout("late"), problem(502), problem(504)])
def test_gone_is_deleted_if_the_first_answer_was_lost(loss: Reply) -> None:
    client, channel = core(loss, GONE)

    finish(client.tasks.delete("0198c0de"))

    assert len(channel.requests) == 2


@pytest.mark.parametrize("replies", [[GONE], [problem(503), GONE]])
def test_gone_is_not_deleted_if_no_answer_was_lost(replies: list[Reply]) -> None:
    client, _ = core(*replies)

    with pytest.raises(NotFound):
        finish(client.tasks.delete("0198c0de"))


def test_health_asks_again_only_if_nothing_answers() -> None:
    client, channel = core(LOST, problem(503))

    assert not finish(client.service.health()).ready
    assert channel.sleeps == [0.5]

    client, channel = core(LOST, LOST, LOST)
    with pytest.raises(TaskqError):
        finish(client.service.health())


def test_a_try_takes_no_longer_than_the_call_has_left() -> None:
    client, channel = core(late(8, LOST), late(2, LOST), late(0.5, LOST), deadline=12.0)

    with pytest.raises(TaskqConnectionError):
        finish(client.service.tags())

    assert [request.timeout for request in channel.requests] == [10.0, 3.5, 0.5]
    assert channel.now <= 1012

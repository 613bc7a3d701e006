"""A wait ends at its own deadline, whatever a single request meets meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest

from taskq_client._channels import Answer, finish, iterate
from taskq_client._core import Core
from taskq_client.errors import (
    RateLimited,
    ServerError,
    TaskqConnectionError,
    TaskqTimeout,
    Unavailable,
    UnexpectedAnswer,
    WaitTimeout,
)
from tests.unit.client.support import (
    RecordingChannel,
    Reply,
    a_task,
    answer,
    core,
    core_over,
    events,
    late,
    problem,
    wire_task,
)

STORED = answer(201, {"items": [{"id": "0198c0de"}]})
QUEUED, DONE = wire_task(), wire_task(status="succeeded", version=2, result=3)
LOST = TaskqConnectionError("the connection broke")

Wait = Callable[[Core, float | None], Any]

# How each operation waits, and the answers before and after an outage.
WAITS: dict[str, tuple[Wait, list[Reply], Reply]] = {
    "wait": (
        lambda client, timeout: [finish(client.waits.wait("0198c0de", timeout))],
        [answer(200, QUEUED)],
        answer(200, DONE),
    ),
    "on_progress": (
        lambda client, timeout: [finish(client.waits.wait("0198c0de", timeout, print))],
        [events(QUEUED)],
        events(DONE),
    ),
    "stream": (
        lambda client, timeout: list(iterate(client.waits.stream("0198c0de", timeout)))[1:],
        [events(QUEUED)],
        events(DONE),
    ),
    "wait_all": (
        lambda client, timeout: finish(client.waits.wait_all(["0198c0de"], timeout)),
        [answer(200, {"items": []})],
        answer(200, {"items": [DONE]}),
    ),
    "as_completed": (
        lambda client, timeout: list(iterate(client.waits.as_completed(["0198c0de"], timeout))),
        [answer(200, {"items": []})],
        answer(200, {"items": [DONE]}),
    ),
    "map": (
        lambda client, timeout: list(iterate(client.bulk.map("h", [{}], timeout, None, {}))),
        [STORED],
        answer(200, {"items": [DONE]}),
    ),
}
EACH = pytest.mark.parametrize("name", WAITS)


@EACH
@pytest.mark.parametrize(
    "failure",
    [
        *(problem(status) for status in (408, 425, 429, 500, 502, 503, 504, 507, 520, 530, 599)),
        Answer(522, {"content-type": "text/html"}, b"<html>"),
        problem(503, retry_after="120"),
        *(LOST, TaskqTimeout("late")),
    ],
    ids=lambda failure: str(getattr(failure, "status", "no answer")),
)
@pytest.mark.parametrize("timeout", [2000.0, None])
def test_a_failure_on_the_way_is_sat_out(name: str, failure: Reply, timeout: float | None) -> None:
    wait, before, after = WAITS[name]
    client, channel = core(*before, *[failure] * 5, after)

    assert [task.result for task in wait(client, timeout)] == [3]
    assert channel.replies == []


@EACH
def test_a_retry_after_may_be_as_long_as_there_is_time(name: str) -> None:
    wait, before, after = WAITS[name]
    client, channel = core(*before, problem(429, retry_after="250"), after)
    assert [task.result for task in wait(client, 300)] == [3]
    assert channel.now >= 1250

    client, _ = core(*before, problem(429, retry_after="350"))
    with pytest.raises(RateLimited):
        wait(client, 300)


@EACH
@pytest.mark.parametrize("asked", ["1e300", "86401", "99999999999999999999"])
def test_without_a_deadline_it_looks_again_after_a_day(name: str, asked: str) -> None:
    wait, before, after = WAITS[name]
    client, channel = core(*before, problem(503, retry_after=asked), after)

    assert [task.result for task in wait(client, None)] == [3]
    assert max(channel.sleeps) == 86_400


@EACH
def test_the_deadline_ends_it_in_the_middle_of_an_outage(name: str) -> None:
    wait, before, _ = WAITS[name]
    channel = RecordingChannel(before[:], for_ever=late(1, problem(524)))

    with pytest.raises((WaitTimeout, ServerError)):
        wait(core_over(channel), 60)

    assert 1060 <= channel.now <= 1064


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 421])
@EACH
def test_a_refusal_ends_it_at_once(name: str, status: int) -> None:
    wait, before, _ = WAITS[name]
    client, channel = core(*before, problem(status, "code"))

    with pytest.raises(Exception, match=str(status)):
        wait(client, 300)
    assert channel.now < 1001


def test_a_map_stores_its_tasks_through_an_outage_with_one_key() -> None:
    failures: list[Reply] = [problem(522), LOST, problem(500), problem(503, retry_after="100")]
    client, channel = core(*failures, STORED, answer(200, {"items": [DONE]}))

    ended = list(iterate(client.bulk.map("h", [{}], 600, None, {})))

    assert [task.result for task in ended] == [3]
    sent = channel.requests[:5]
    assert {request.headers["Idempotency-Key"] for request in sent} == {"key-1/1"}
    assert len({request.body for request in sent}) == 1


def test_a_map_that_never_reaches_a_server_ends_with_its_deadline_or_the_usual_tries() -> None:
    for timeout, tries in ((None, 3), (30, 8)):
        channel = RecordingChannel([], for_ever=LOST)
        with pytest.raises(TaskqConnectionError):
            list(iterate(core_over(channel).bulk.map("h", [{}], timeout, None, {})))
        assert len(channel.requests) == tries


@pytest.mark.parametrize("known", [[a_task()], ["other", a_task()]])
def test_an_outage_right_after_the_submit_is_sat_out_by_those_who_wait_for_many(known: Any) -> None:
    ended = answer(200, {"items": [DONE, {**DONE, "id": "other"}]})
    client, channel = core(*[LOST] * 50, ended)

    assert {task.result for task in finish(client.waits.wait_all(known, None))} == {3}
    assert channel.now > 1300


def test_one_request_knows_what_proxies_say_but_no_other_failure_of_a_server() -> None:
    for status in (425, 520, 522, 530):
        client, _ = core(problem(status), answer(200, QUEUED))
        assert finish(client.tasks.get("0198c0de")).id == "0198c0de"
    for status in (500, 501, 507, 531, 599):
        with pytest.raises(ServerError):
            finish(core(problem(status))[0].tasks.get("0198c0de"))
    with pytest.raises(Unavailable):
        finish(core(problem(503, retry_after="61"))[0].tasks.get("0198c0de"))


def test_what_is_no_server_of_taskq_ends_a_wait() -> None:
    client, _ = core(answer(200, QUEUED), Answer(200, {"content-type": "text/html"}, b"<html>"))

    with pytest.raises(UnexpectedAnswer):
        finish(client.waits.wait("0198c0de", 300))

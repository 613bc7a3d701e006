"""The past as the client asks for it, as the command shows it, and as the fake has it."""

import pickle
from datetime import timedelta
from typing import Any

import pytest

from taskq_client._channels import finish
from taskq_client.errors import InvalidRequest
from taskq_client.testing import FakeTaskq, Step
from tests.unit.client.support import answer, core


def test_the_history_has_a_list_for_each_queue_and_takes_what_a_newer_server_adds() -> None:
    queue = {"succeeded": [3], "failed": [0], "run_seconds_mean": [0.5], "depth": [None]}
    body = {"minutes": ["2026-10-01T08:00:00Z"], "queues": {"mail": {**queue, "colour": ["blue"]}}}
    client, channel = core(answer(200, {**body, "exact": False}))
    found = finish(client.look_back.history(5, "mail"))
    assert channel.asked == ["GET /stats/history?minutes=5&queue=mail"]
    assert not found.exact
    mail = found.queues["mail"]
    assert (mail.succeeded, mail.run_seconds_mean, mail.depth) == ([3], [0.5], [None])
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize("since", [60, 60.0, timedelta(minutes=1)])
def test_failures_since_a_duration_of_any_kind(since: Any) -> None:
    client, channel = core(answer(200, {"items": []}))
    assert finish(client.look_back.failures(since)).items == []
    (asked,) = channel.asked
    assert asked.removesuffix(".0") == "GET /failures?since_seconds=60"


@pytest.mark.parametrize(
    ("minutes", "queue", "begins"),
    [
        (-1, None, "minutes must be"),
        (1.5, None, "minutes must be"),
        (1, b"q", "queue must be"),
        (1, "\ud800", "a filter holds"),
    ],
)
def test_what_cannot_be_asked_names_the_argument(minutes: Any, queue: Any, begins: str) -> None:
    client, channel = core()
    with pytest.raises(InvalidRequest, match=f"^{begins}"):
        finish(client.look_back.history(minutes, queue))
    assert channel.asked == []


def test_the_fake_remembers_minutes_as_its_time_passes() -> None:
    fake = FakeTaskq()
    fake.on("slow", Step(seconds=30))
    fake.on("wrong", Step(seconds=90, error=RuntimeError("no\nluck")))
    with fake.client() as client:
        client.submit("slow", queue="mail", max_retries=0)
        fake.advance(60)
        client.submit("wrong", queue="mail", max_retries=0)
        fake.advance(180)
        found = client.stats_history(minutes=10)
        mail = found.queues["mail"]
        assert [n for n in mail.succeeded if n] == [n for n in mail.failed if n] == [1]
        assert [mean for mean in mail.run_seconds_mean if mean] == [30, 90]
        assert mail.depth == [None] * 10
        (queue,) = client.stats().queues
        assert queue.run_seconds_mean == 60
        assert queue.throughput_per_minute == pytest.approx(2 / 4.5, rel=0.15)
        (group,) = client.failures().items
        assert (group.handler, group.type, group.message) == ("wrong", "RuntimeError", "no")
        fake.advance(3600)
        assert client.failures().items == []
        assert client.stats_history(minutes=10).queues == {}


def test_the_fake_leaves_out_minutes_of_an_answer_that_would_be_too_large() -> None:
    fake = FakeTaskq()
    with fake.client() as client:
        for number in range(3):
            client.submit("taskq.echo", {"value": 1}, queue=f"q{number}")
        found = client.stats_history(minutes=10_000)
        assert not found.exact
        assert len(found.minutes) == 20_000 // 3
        assert client.stats_history(minutes=10_000, queue="q1").exact

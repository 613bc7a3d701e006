"""as_completed, wait_all and map: many tasks with one request at a time."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from taskq_client._channels import Answer, Request, finish, iterate
from taskq_client.errors import NotFound, TaskqConnectionError, WaitTimeout
from tests.unit.client.support import (
    RecordingChannel,
    Reply,
    answer,
    core,
    core_over,
    late,
    problem,
    wire_task,
)

LOST = TaskqConnectionError("refused")


def finals(*ids: str) -> Answer:
    return answer(200, {"items": [wire_task(id=task_id, status="succeeded") for task_id in ids]})


class Server:
    """A server that runs what is submitted in the order of `ends`, some at each look."""

    def __init__(self, at_once: int = 300) -> None:
        self.submitted: list[str] = []
        self.running: dict[str, None] = {}
        self.at_once = at_once
        self.most = 0

    def __call__(self, request: Request) -> Answer:
        body: Any = json.loads(request.body or b"{}")
        if request.path == "/tasks/batch":
            assert request.headers["Prefer"] == "return=minimal"
            ids = [f"t{len(self.submitted) + n}" for n in range(len(body["items"]))]
            self.submitted += ids
            self.running |= dict.fromkeys(ids)
            self.most = max(self.most, len(self.running))
            return answer(201, {"items": [{"id": task_id} for task_id in ids]})
        assert request.path == "/tasks/wait"
        assert len(body["ids"]) <= 1000
        done = [task_id for task_id in body["ids"] if task_id in self.running][: self.at_once]
        for task_id in done:
            del self.running[task_id]
        return finals(*done)


def test_each_comes_once_in_the_order_of_their_ends() -> None:
    client, channel = core(finals("b"), finals("a", "c"))

    assert [
        task.id for task in iterate(client.waits.as_completed(["A", "b", "c", "b"], None))
    ] == list("bac")
    assert channel.asked == ["POST /tasks/wait"] * 2
    assert [channel.body(n)["ids"] for n in range(2)] == [["a", "b", "c"], ["a", "c"]]
    assert channel.body(0)["timeout_seconds"] == 20
    assert channel.requests[0].timeout == 30


def test_none_at_all_needs_no_request() -> None:
    client, channel = core()

    assert list(iterate(client.waits.as_completed([], None))) == []
    assert finish(client.waits.wait_all([], None)) == []
    assert channel.requests == []


def test_all_come_in_the_order_given() -> None:
    client, _ = core(finals("b"), finals("a"))

    assert [task.id for task in finish(client.waits.wait_all(["a", "b", "a"], 60))] == [
        "a",
        "b",
        "a",
    ]


def test_of_more_than_a_request_can_name_each_thousand_gets_its_turn() -> None:
    ids = [f"t{n}" for n in range(2500)]

    def last_ones(request: Request) -> Answer:
        asked = json.loads(request.body or b"")["ids"]
        return finals(*asked) if "t2000" in asked else finals()

    channel = RecordingChannel([], for_ever=last_ones)
    completed = iterate(core_over(channel).waits.as_completed(ids, None))
    assert next(completed).id == "t2000"
    assert [len(channel.body(n)["ids"]) for n in range(3)] == [1000, 1000, 1000]
    assert {channel.body(n)["timeout_seconds"] for n in range(3)} == {1}


def test_the_deadline_is_for_all_and_the_error_has_one_that_goes_on() -> None:
    client, channel = core(
        late(3, finals("a")), late(7, finals()), answer(200, wire_task(id="b", status="running"))
    )
    completed = iterate(client.waits.as_completed(["a", "b"], 10))

    assert next(completed).id == "a"
    with pytest.raises(WaitTimeout) as caught:
        next(completed)

    assert (caught.value.task.id, caught.value.task.status) == ("b", "running")
    assert channel.asked == ["POST /tasks/wait", "POST /tasks/wait", "GET /tasks/b"]


def test_no_time_is_one_look() -> None:
    client, _ = core(finals("a", "b"))

    assert len(finish(client.waits.wait_all(["a", "b"], 0))) == 2


def test_an_outage_is_sat_out() -> None:
    failures: list[Reply] = [LOST, problem(503), *[LOST] * 20]
    client, channel = core(finals("a"), *failures, finals("b"))

    assert len(finish(client.waits.wait_all(["a", "b"], None))) == 2
    assert channel.now > 1100


def test_a_server_that_never_answers_gets_the_usual_tries() -> None:
    channel = RecordingChannel([], for_ever=LOST)

    with pytest.raises(TaskqConnectionError):
        finish(core_over(channel).waits.wait_all(["a"], None))
    assert len(channel.requests) == 3
    with pytest.raises(TaskqConnectionError):
        finish(core_over(channel).waits.wait_all(["a"], 30))


def test_one_that_does_not_exist_ends_the_wait() -> None:
    client, _ = core(problem(404, "task-not-found"))

    with pytest.raises(NotFound):
        finish(client.waits.wait_all(["a"], None))


def test_a_map_takes_payloads_as_it_needs_them() -> None:
    server = Server()
    channel = RecordingChannel([], for_ever=server)
    taken: list[int] = []

    def payloads() -> Iterator[dict[str, object]]:
        for n in range(10_000):
            taken.append(n)
            yield {"n": n}

    completed = iterate(core_over(channel).bulk.map("h", payloads(), None, "key", {"queue": "q"}))
    first = next(completed)
    assert len(taken) <= 1001

    assert len({first.id, *(task.id for task in completed)}) == len(taken) == 10_000
    assert server.most <= 1000
    batches = [request for request in channel.requests if request.path == "/tasks/batch"]
    keys = [request.headers["Idempotency-Key"] for request in batches]
    assert keys == [f"key/{n}" for n in range(1, len(batches) + 1)]
    assert json.loads(batches[0].body or b"")["items"][3] == {
        "queue": "q",
        "handler": "h",
        "payload": {"n": 3},
    }


def test_a_map_over_nothing_is_nothing() -> None:
    client, channel = core()

    assert list(iterate(client.bulk.map("h", [], None, None, {}))) == []
    assert channel.requests == []


def test_a_map_has_one_deadline() -> None:
    channel = RecordingChannel([], for_ever=Server(at_once=0))
    client = core_over(channel)
    channel.replies = [Server(at_once=0), late(9, finals()), answer(200, wire_task(id="t0"))]

    with pytest.raises(WaitTimeout):
        list(iterate(client.bulk.map("h", [{}], 9, None, {})))

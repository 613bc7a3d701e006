"""stream and on_progress: the states of a task, whatever happens to the connection."""

import pytest

from taskq_client._answers import EventReader
from taskq_client._channels import Answer, finish, iterate
from taskq_client.errors import (
    NotFound,
    TaskqConnectionError,
    UnexpectedAnswer,
    WaitTimeout,
)
from tests.unit.client.support import (
    RecordingChannel,
    a_task,
    answer,
    core,
    core_over,
    events,
    late,
    problem,
    wire_task,
)

QUEUED = wire_task()
RUNNING = wire_task(status="running", version=2, progress={"current": 1, "total": 4})
FURTHER = wire_task(status="running", version=3, progress={"current": 3, "total": 4})
DONE = wire_task(status="succeeded", version=4, result=3, progress={"current": 4, "total": 4})
LOST = TaskqConnectionError("refused")


def versions(tasks: object) -> list[int]:
    return [task.version for task in tasks]  # type: ignore[attr-defined]


def test_every_state_up_to_the_final_one() -> None:
    client, channel = core(events(QUEUED, RUNNING, DONE))

    assert versions(iterate(client.waits.stream("0198c0de", None))) == [1, 2, 4]
    assert channel.asked == ["GET /tasks/0198c0de/events"]
    assert channel.requests[0].headers == {"Accept": "text/event-stream"}
    assert channel.requests[0].timeout == 25.0


def test_a_stream_that_breaks_goes_on_after_what_was_seen() -> None:
    client, channel = core(events(QUEUED, RUNNING, cut=True), LOST, events(DONE))

    assert versions(iterate(client.waits.stream("0198c0de", None))) == [1, 2, 4]
    seen = [request.headers.get("Last-Event-ID") for request in channel.requests]
    assert seen == [None, "2", "2"]
    assert channel.sleeps == [0.5, 1.0]


def test_a_stream_that_the_server_ends_is_opened_again() -> None:
    client, channel = core(events(QUEUED), events(), problem(503), events(DONE))

    assert versions(iterate(client.waits.stream("0198c0de", None))) == [1, 4]
    assert channel.sleeps == [0.25, 0.25, 0.5]


def test_the_deadline_ends_it_with_the_last_state() -> None:
    client, channel = core(late(4, events(QUEUED)), late(6, events(RUNNING)))

    with pytest.raises(WaitTimeout) as caught:
        list(iterate(client.waits.stream("0198c0de", 10)))

    assert caught.value.task.version == 2
    assert channel.asked == [
        "GET /tasks/0198c0de/events?timeout_seconds=10.000",
        "GET /tasks/0198c0de/events?timeout_seconds=5.750",
    ]
    assert [request.timeout for request in channel.requests] == [12.0, 7.75]


def test_a_server_that_never_answers_is_not_a_stream_that_timed_out() -> None:
    channel = RecordingChannel([], for_ever=LOST)

    with pytest.raises(TaskqConnectionError):
        list(iterate(core_over(channel).waits.stream("0198c0de", 30)))
    with pytest.raises(WaitTimeout):
        list(iterate(core_over(channel).waits.stream(a_task(), 30)))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (problem(404, "task-not-found"), NotFound),
        (answer(200, QUEUED), UnexpectedAnswer),
        (Answer(204, {}, b""), UnexpectedAnswer),
        (Answer(200, {"content-type": "text/event-stream"}, b"data: {}\n\n"), UnexpectedAnswer),
    ],
)
def test_what_is_no_stream_of_tasks_ends_it(reply, error) -> None:  # type: ignore[no-untyped-def]
    client, _ = core(reply)

    with pytest.raises(error):
        list(iterate(client.waits.stream("0198c0de", None)))


def test_who_stops_iterating_lets_go_of_the_connection() -> None:
    closed: list[bool] = []

    class Closing(RecordingChannel):
        async def stream(self, request):  # type: ignore[no-untyped-def, override]
            try:
                async for piece in super().stream(request):
                    yield piece
            finally:
                closed.append(True)

    client = core_over(Closing([events(QUEUED, RUNNING, DONE)]))
    states = iterate(client.waits.stream("0198c0de", None))
    next(states)
    states.close()
    assert closed == [True]


def test_each_new_progress_is_told_once() -> None:
    again = {**FURTHER, "version": 9}
    client, channel = core(events(QUEUED, RUNNING, cut=True), events(FURTHER, again, DONE))
    told: list[tuple[float, float | None]] = []

    task = finish(
        client.waits.wait(
            "0198c0de", None, lambda progress: told.append((progress.current, progress.total))
        )
    )

    assert task.result == 3
    assert told == [(1, 4), (3, 4), (4, 4)]
    assert len(channel.requests) == 2


def test_run_tells_the_progress_too() -> None:
    client, _ = core(answer(201, QUEUED), events(RUNNING, DONE))
    told: list[float] = []

    result = finish(
        client.runs.run(
            "h", None, None, None, {}, None, lambda progress: told.append(progress.current)
        )
    )

    assert (result, told) == (3, [1, 4])


def test_pieces_may_be_cut_anywhere_and_comments_and_fields_are_passed_over() -> None:
    head = {"content-type": "text/event-stream"}
    stream = b": hello\nretry: 5\nid:1\r\ndata: {\r\ndata:}\r\n\r\nid: 2\nevent: x\ndata: b\n\n\n"
    for size in (1, 2, 7, len(stream)):
        reader = EventReader()
        found = [
            (event.id, event.answer.body)
            for start in range(0, len(stream), size)
            for event in reader.read(Answer(200, head, stream[start : start + size]))
        ]
        assert found == [("1", b"{\n}"), ("2", b"b")]

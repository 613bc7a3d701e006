"""Event streams of real servers: they end with the process, and leave nothing behind."""

import threading
from collections.abc import Iterator

import pytest

from taskq_client import Task, TaskqClient, TaskqError
from tests.support.stack import Kind, NewStack


def to_the_end(states: Iterator[Task], seen: list[Task], errors: list[TaskqError]) -> None:
    try:
        seen.extend(states)
    except TaskqError as error:
        errors.append(error)


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_stream_outlives_the_process_that_serves_it(new_stack: NewStack, kind: Kind) -> None:
    stack = new_stack(kind)
    with TaskqClient(stack.api_url) as client:
        task = client.submit("taskq.echo", {"value": 7}, delay_seconds=3600)
        states, seen, errors = client.stream(task, timeout=300), [], []
        assert next(states).status == "queued"
        following = threading.Thread(target=to_the_end, args=(states, seen, errors))
        following.start()
        assert stack.stop_api() == 0  # the open stream does not hold it up
        stack.start_api()
        client.update(task, run_at=None)
        following.join(60)

    assert errors == []
    assert (seen[-1].status, seen[-1].result) == ("succeeded", 7)

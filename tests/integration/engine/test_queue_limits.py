"""A real worker with a limit for one of its queues."""

import pytest

from taskq_client import TaskqClient
from tests.support.processes import run_server_command
from tests.support.stack import Kind, NewStack
from tests.support.waiting import wait_until

VIDEOS, MOST = 5, 2


def running(client: TaskqClient) -> list[str]:
    return [each.id for each in client.list(queue="video", status="running")]


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_queue_at_its_limit_waits_and_others_go_on(new_stack: NewStack, kind: Kind) -> None:
    settings = {"TASKQ_QUEUES": f"video={MOST},default", "TASKQ_CONCURRENCY": "4"}
    stack = new_stack(kind, settings=settings)
    with TaskqClient(stack.api_url) as client:
        client.submit_many(
            [{"handler": "tests.pid", "payload": {"seconds": 600}, "queue": "video"}] * VIDEOS
        )
        wait_until(lambda: len(running(client)) == MOST, 60, "some run")
        for _ in range(3):
            quick = client.submit_many([{"handler": "tests.add", "payload": {"a": 1}}] * 20)
            assert {each.status for each in client.wait_all(quick, timeout=120)} == {"succeeded"}
            assert len(running(client)) == MOST
        ended: set[str] = set()
        while len(ended) < VIDEOS:
            (first, *_) = running(client)
            client.cancel(first)
            client.wait(first, timeout=120)
            ended.add(first)
            expected = min(MOST, VIDEOS - len(ended))
            wait_until(
                lambda: len(running(client)) == expected,  # noqa: B023
                60,
                "the next one has its place",
            )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--queue", "video=0"], "TASKQ_QUEUES: the limit of the queue video must be a number"),
        (["--queue", "video=2", "--queue", "video=3"], "TASKQ_QUEUES: the queue video has two"),
        (["--queues", "a b,c"], "TASKQ_QUEUES: no task can be in such a queue"),
    ],
)
def test_what_cannot_be_a_queue_is_one_sentence(words: list[str], said: str) -> None:
    done = run_server_command(["worker", "--no-supervisor", *words], {})
    assert done.returncode == 78
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_queues_are_named_one_by_one_or_together() -> None:
    words = ["--queue", "video=2", "--queues", "mails, default", "--queue=last=1"]
    done = run_server_command(["settings", *words], {})
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "TASKQ_QUEUES" in line]
    assert "video=2,mails,default,last=1" in line

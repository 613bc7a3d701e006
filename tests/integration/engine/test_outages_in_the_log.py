"""An outage is a line when it begins and one when it ends, however many notice it how often."""

import time

import httpx

from tests.integration.engine.calls import get, submit
from tests.support.mariadb import MariaDBServer
from tests.support.stack import Stack
from tests.support.waiting import wait_until

SETTINGS = {"TASKQ_LEASE_SECONDS": "2", "TASKQ_LOG_LEVEL": "INFO"}
NOTICED_SECONDS = 3.0


def lines(stack: Stack, words: str) -> list[list[str]]:
    """The lines of each process that have these words."""
    return [
        [line for line in process.output(1_000_000).splitlines() if words in line]
        for process in (stack.apis[0], stack.workers[0])
    ]


def until_all_say(stack: Stack, words: str) -> None:
    wait_until(lambda: all(lines(stack, words)), 180, words, details=lambda: str(stack.logs()))


def test_a_database_that_goes_and_comes_back() -> None:
    with MariaDBServer() as mariadb, Stack("mariadb", mariadb=mariadb, settings=SETTINGS) as stack:
        gone = submit(stack, "taskq.echo", {"value": 1})
        get(stack, gone, wait=60)
        mariadb.kill()
        until_all_say(stack, "does not answer")
        until = time.monotonic() + NOTICED_SECONDS
        refused = 0
        while time.monotonic() < until:
            body = {"handler": "taskq.echo", "payload": {"value": 1}}
            answer = httpx.post(f"{stack.api_url}/tasks", json=body, timeout=180)
            assert answer.status_code == 503
            refused += 1
        mariadb.start()
        until_all_say(stack, "over after")
        assert get(stack, submit(stack, "taskq.echo", {"value": 2}), wait=60)["result"] == 2
        assert refused > 1
        for began, ended in zip(
            lines(stack, "the database does not answer: "), lines(stack, "over after"), strict=True
        ):
            assert [len(began), len(ended)] == [1, 1]
            assert "Can't connect" in began[0] or "Lost connection" in began[0]
            assert "the database does not answer" in ended[0]
        answered = lines(stack, "is answered with 503 database-unavailable")[0]
        assert len(answered) == refused


def test_a_redis_that_goes_and_comes_back(mariadb_server: MariaDBServer) -> None:
    with Stack("mariadb", mariadb=mariadb_server, settings=SETTINGS) as stack:
        assert stack.redis is not None
        stack.redis.kill()
        until_all_say(stack, "Redis is away")
        for number in range(20):
            submit(stack, "taskq.echo", {"value": number})
        stack.redis.start()
        until_all_say(stack, "over after")
        for began, ended in zip(
            lines(stack, "Redis is away: "), lines(stack, "over after"), strict=True
        ):
            assert [len(began), len(ended)] == [1, 1]
            assert "Redis is away" in ended[0]

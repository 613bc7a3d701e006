"""What processes do by the database's time: before it is known, and once it is."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from taskq_server.broker.dispatcher import doorbell
from taskq_server.core.config import Settings
from taskq_server.domain.task import Priority
from taskq_server.runtime import open_runtime
from tests.integration.engine.calls import get, submit
from tests.support.calls import HANDLERS
from tests.support.faketime import skewed, skewed_child
from tests.support.mariadb import MariaDBServer
from tests.support.ports import free_port
from tests.support.processes import ApiProcess
from tests.support.proxy import Proxy
from tests.support.servers import MissingServerError
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until
from tests.unit.server.factories import make_task, store

SKEW = 600.0
NO_HELP = {"TASKQ_POLL_SECONDS": "10", "TASKQ_JANITOR_SECONDS": "60"}
"""Neither the poll nor the janitor heals what the doorbells miss."""


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A MariaDB that the tests of this module stop and start again."""
    try:
        private = MariaDBServer()
    except MissingServerError as error:
        pytest.fail(str(error), pytrace=False)
    with private:
        yield private


@pytest.mark.parametrize("skew", [SKEW, -SKEW])
def test_a_worker_takes_nothing_before_the_database_has_told_its_time(
    new_stack: NewStack, server: MariaDBServer, tmp_path: Path, skew: float
) -> None:
    stack = new_stack("mariadb", settings={"TASKQ_HANDLERS": HANDLERS}, mariadb=server)
    stack.stop_worker()
    run_at, due = datetime.now(UTC) + timedelta(seconds=8), time.monotonic() + 8
    later = submit(stack, "bad.clocks", {}, run_at=run_at.isoformat())
    low = submit(stack, "bad.clocks", {}, priority="low")
    bells = bells_of(stack)
    assert len(bells) == 2
    server.kill()
    worker = stack.start_worker(skewed_child(tmp_path, skew))
    until_it_says(worker.output, "the database does not answer")
    assert bells_of(stack) == bells
    server.start()
    done = [get(stack, one, wait=60) for one in (low, later)]
    assert [one["status"] for one in done] == ["succeeded"] * 2
    assert max(abs(moment(one["started_at"]) - time.time()) for one in done) < 60
    started: float = done[1]["result"][0]
    assert started >= due - 0.01


@pytest.mark.parametrize("skew", [SKEW, -SKEW])
def test_an_api_stores_nothing_before_the_database_has_told_its_time(
    new_stack: NewStack, server: MariaDBServer, tmp_path: Path, skew: float
) -> None:
    stack = new_stack("mariadb", mariadb=server)
    settings = {"TASKQ_DATABASE_URL": stack.database_url, "TASKQ_REDIS_URL": str(stack.redis_url)}
    body = {"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 100}
    server.kill()
    api = ApiProcess(["api"], settings | skewed(skew), tmp_path / "api.log", free_port())
    try:
        with httpx.Client(base_url=api.url, timeout=180, trust_env=False) as http:
            until_it_says(api.output, "the database does not answer")
            wait_until(lambda: _lives(http), 180, "the API is up", details=api.output)
            assert http.post("/tasks", json=body).status_code == 503
            server.start()
            api.wait_ready()
            answer = http.post("/tasks", json=body)
    finally:
        api.stop()
    assert answer.status_code == 201, "what is ready takes tasks"
    assert abs(moment(answer.json()["created_at"]) - time.time()) < 60
    assert abs(moment(answer.json()["run_at"]) - time.time() - 100) < 60


async def test_answers_that_were_slow_are_not_the_last_for_long(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    with Proxy(mariadb_server.port) as proxy:
        proxy.delay = 0.1
        url = mariadb_url.replace(f":{mariadb_server.port}/", f":{proxy.port}/")
        async with open_runtime(Settings(database_url=url), patient=True) as runtime:
            clock = runtime.clock
            assert clock() - clock.earliest() >= timedelta(seconds=0.1)
            assert clock.earliest() <= datetime.now(UTC)
            # Not at once: the second answer is to be slow, too.
            asyncio.get_running_loop().call_later(0.6, setattr, proxy, "delay", 0.0)
            async with asyncio.timeout(20):
                while clock() - clock.earliest() > timedelta(seconds=0.05):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert clock.earliest() <= datetime.now(UTC)


def test_low_tasks_start_by_their_doorbells(new_stack: NewStack) -> None:
    """Their score is the moment they were made, which the worker's clock has to have passed."""
    stack = new_stack("mariadb", settings=NO_HELP)
    submit_and_wait(stack, "low")
    before = pops_of(stack)
    took = {one: [submit_and_wait(stack, one) for _ in range(20)] for one in ("low", "normal")}
    pops = pops_of(stack) - before
    shown = {name: f"{sorted(each)[10] * 1000:.0f} ms" for name, each in took.items()}
    print(f"\nsubmit to done, median: {shown}; {pops} looks for doorbells for 40 tasks")
    assert max(took["low"]) < 5, "not by the poll, which comes after ten seconds"
    assert pops < 40 * 8, "it sleeps until they are due"


async def test_a_doorbell_that_rings_too_early_rings_again_in_time(new_stack: NewStack) -> None:
    """As where the task was written by a process whose clock was ahead."""
    stack = new_stack("mariadb", settings=NO_HELP)
    settings = Settings(database_url=stack.database_url, redis_url=stack.redis_url)
    async with open_runtime(settings) as runtime:
        now = runtime.clock()
        run_at, ahead = now + timedelta(seconds=1.5), now + timedelta(seconds=8)
        made = [
            make_task(run_at=run_at, created_at=now, updated_at=ahead, priority=priority)
            for priority in Priority
        ]
        await store(runtime.database, *made)
        runtime.dispatcher.ring([doorbell(task) for task in made])
        done = [await asyncio.to_thread(get, stack, str(task.id), 20) for task in made]
    assert {one["status"] for one in done} == {"succeeded"}
    late = [moment(one["started_at"]) - run_at.timestamp() for one in done]
    assert min(late) >= 0
    assert max(late) <= 5, "not by the poll"


def submit_and_wait(stack: Stack, priority: str) -> float:
    asked = time.monotonic()
    body = {"handler": "taskq.echo", "payload": {"value": 1}, "priority": priority}
    answer = httpx.post(
        f"{stack.api_url}/tasks", json=body, headers={"Prefer": "wait=20"}, timeout=30
    )
    assert answer.json()["status"] == "succeeded"
    return time.monotonic() - asked


def pops_of(stack: Stack) -> int:
    """How often workers have looked for doorbells."""
    assert stack.redis is not None
    with stack.redis.client() as client:
        return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])


def bells_of(stack: Stack) -> list[object]:
    """The doorbells of all queues."""
    assert stack.redis is not None
    with stack.redis.client() as client:
        queues = sorted(client.scan_iter(_type="zset"))
        return [bell for one in queues for bell in client.zrange(one, 0, -1, withscores=True)]


def until_it_says(output: Callable[[], str], words: str) -> None:
    wait_until(lambda: words in output(), 180, words, 0.05, output)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _lives(http: httpx.Client) -> bool:
    try:
        return http.get("/livez").status_code == 200
    except httpx.TransportError:
        return False

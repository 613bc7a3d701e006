"""Pauses of queues: with Redis away, and with workers that are busy, frozen, or about to claim."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from taskq_client import Queue, TaskqClient
from tests.faults.evidence import Submit
from tests.faults.ledger import Ledger, report, stopped
from tests.support.calls import descendants, repeats
from tests.support.mysql_proxy import MySQLProxy
from tests.support.waiting import wait_until

PAUSES = repeats(5, 50)
STILL_SECONDS = 3.0
"""Long enough for some sweeps, polls and beats of each worker."""


@pytest.fixture
def client(ledger: Ledger) -> Iterator[TaskqClient]:
    with TaskqClient(ledger.stack.api_url, timeout=60) as opened:
        yield opened
        for queue in opened.queues.list():
            opened.queues.resume(queue.name)


def started(ledger: Ledger) -> set[str]:
    """The attempts of the series that have started, as the database says."""
    rows = ledger.reader.rows(ledger.prefix)
    running = ledger.reader.sql("SELECT id, attempt FROM tasks WHERE status = 'running'")
    ended = ledger.reader.ended(ledger.prefix)
    return {
        *(f"{id_}:{attempt}" for id_, attempt, *_ in running if id_ in rows),
        *(f"{id_}:{one.attempt}" for id_, attempts in ended.items() for one in attempts),
    }


@contextmanager
def nothing_starts(ledger: Ledger) -> Iterator[None]:
    """Nothing of the series starts while the block runs, and for some seconds after it."""
    before = started(ledger)
    yield
    time.sleep(STILL_SECONDS)  # that nothing happens is no event
    assert started(ledger) == before


def resumed(client: TaskqClient, name: str = "default") -> Queue:
    queue = client.queues.resume(name)
    assert not queue.paused
    return queue


@pytest.mark.timeout(repeats(240, 1_200))
def test_pauses_under_load(ledger: Ledger, client: TaskqClient) -> None:
    """Workers are busy, and claim in large batches."""
    seconds: list[float] = []
    with ledger.load(rate=60):
        for number in range(PAUSES):
            ledger.until_accepted((number + 1) * 40)
            began = time.monotonic()
            assert client.queues.pause("default", note=f"pause {number}").paused
            seconds.append(time.monotonic() - began)
            with nothing_starts(ledger):
                ledger.until_accepted(len(ledger.callers.submits) + 20)
            resumed(client)
    evidence = ledger.settle(f"{PAUSES} pauses", slowest_pause=f"{max(seconds):.2f} s")
    assert evidence.extra_runs() == 0


@pytest.mark.timeout(repeats(180, 300))
def test_a_pause_while_redis_is_away(ledger: Ledger, client: TaskqClient) -> None:
    assert ledger.stack.redis is not None
    ledger.stack.redis.kill()
    ledger.until_started(ledger.callers.submit("faults.noop"), timeout=60)
    assert client.queues.pause("default").paused
    with nothing_starts(ledger):
        waiting = [ledger.callers.submit("faults.noop") for _ in range(40)]
    resumed(client)
    went_on = time.time()
    late = [ledger.until_started(one, timeout=60).at - went_on for one in waiting]
    ledger.stack.redis.start()
    ledger.settle("paused while Redis is away", slowest_start=f"{max(late):.1f} s")
    assert max(late) < 20, "workers learn of the resume by themselves"


@pytest.mark.timeout(repeats(180, 300))
def test_a_pause_while_all_workers_are_frozen(ledger: Ledger, client: TaskqClient) -> None:
    """They come back to doorbells of a queue whose pause nobody has told them of."""
    ledger.until_started(ledger.callers.submit("faults.noop"))
    ledger.quiet()
    waiting: list[Submit] = []
    with ledger.interrupting(*ledger.stack.workers), ExitStack() as frozen:
        for pid in [pid for one in ledger.stack.workers for pid in _tree(one.pid)]:
            frozen.enter_context(stopped(pid))
        waiting = [ledger.callers.submit("faults.noop") for _ in range(40)]
        assert client.queues.pause("default").paused
        before = started(ledger)
    time.sleep(STILL_SECONDS)
    assert started(ledger) == before
    resumed(client)
    for one in waiting:
        ledger.until_started(one, timeout=60)
    ledger.settle("paused while frozen", timeout=120)


@pytest.mark.timeout(repeats(180, 300))
def test_a_pause_between_the_wish_to_claim_and_the_claim(
    ledger: Ledger, client: TaskqClient
) -> None:
    """The claim has left its worker, and reaches the database after the pause has answered."""
    with worker_behind_a_proxy(ledger, client) as database:
        held = database.hold(r"(?is)select.*lock in share mode")
        task = ledger.callers.submit("faults.noop", queue="held")
        assert held.wait(60), "no claim was sent"
        began = time.monotonic()
        assert client.queues.pause("held").paused
        seconds = time.monotonic() - began
        with nothing_starts(ledger):
            held.release()
        resumed(client, "held")
        ledger.until_started(task, timeout=60)
        ledger.quiet()
    report("paused before a claim", pause=f"{seconds:.2f} s")


@pytest.mark.timeout(repeats(180, 300))
def test_a_pause_waits_for_a_claim_that_has_begun(ledger: Ledger, client: TaskqClient) -> None:
    """Its worker stands still between the lock and the commit."""
    with worker_behind_a_proxy(ledger, client) as database, ThreadPoolExecutor(1) as threads:
        held = database.hold(r"(?is)update tasks set.*worker_id")
        task = ledger.callers.submit("faults.noop", queue="held")
        assert held.wait(60), "no claim was written"
        pausing = threads.submit(client.queues.pause, "held")
        with pytest.raises(TimeoutError):
            pausing.result(timeout=1)
        other = ledger.callers.submit("faults.noop")
        held.release()
        assert pausing.result(timeout=60).paused
        assert f"{task.task_id}:1" in started(ledger)
        ledger.until_started(task, timeout=60)
        ledger.until_started(other, timeout=60)
        resumed(client, "held")
        ledger.quiet()


@contextmanager
def worker_behind_a_proxy(ledger: Ledger, client: TaskqClient) -> Iterator[MySQLProxy]:
    """Another worker, which alone listens to the queue `held`."""
    stack = ledger.stack
    assert stack.mariadb is not None
    with MySQLProxy(stack.mariadb.port) as database:
        url = database.through(stack.database_url)
        worker = stack.start_worker({"TASKQ_DATABASE_URL": url, "TASKQ_QUEUES": "held"})
        wait_until(lambda: _listeners(client, "held") == 1, 60, "the worker listens", 0.1)
        yield database
        worker.stop()
        stack.workers.remove(worker)


def _listeners(client: TaskqClient, name: str) -> int:
    return sum(one.workers for one in client.queues.list() if one.name == name)


def _tree(pid: int) -> set[int]:
    return {pid, *descendants(pid)}

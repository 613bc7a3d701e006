"""The time of the fake: it is skipped, never waited for, and may stand still."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from taskq_client import (
    AsyncTaskqClient,
    NotFound,
    Progress,
    TaskqClient,
    Unavailable,
    WaitTimeout,
)
from taskq_client.testing import FakeTaskq, Step
from tests.contract.clients import Awaited

pytestmark = [pytest.mark.timeout(30), pytest.mark.anyio]

REAL_SECONDS = 3.0
YEAR = 31_536_000


@pytest.fixture(params=["running", "frozen"])
def frozen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every clock of Python stands still, that of event loops too, and nobody can sleep."""
    if request.param == "frozen":
        for name in ("time", "monotonic", "perf_counter"):
            monkeypatch.setattr(time, name, lambda: 1_790_000_000.0)
        monkeypatch.setattr(time, "sleep", refuse)
        monkeypatch.setattr("taskq_client.testing._fake.datetime", StandsStill)


def refuse(seconds: float) -> None:
    raise AssertionError("the fake waits by a clock that stands still")


class StandsStill(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> "StandsStill":
        return cls(2026, 9, 21, tzinfo=tz)


@pytest.fixture
def fake(frozen: None) -> FakeTaskq:
    return FakeTaskq()


@pytest.fixture(params=["sync", "async"])
async def client(
    request: pytest.FixtureRequest, fake: FakeTaskq, anyio_backend: str
) -> AsyncIterator[Any]:
    if request.param == "sync":
        with TaskqClient(transport=fake) as blocking:
            yield Awaited(blocking)
    else:
        async with AsyncTaskqClient(transport=fake) as asynchronous:
            yield asynchronous


@pytest.fixture(autouse=True)
def _quickly() -> Any:
    """No test takes long by a clock that a test cannot stop."""
    late = threading.Event()
    timer = threading.Timer(REAL_SECONDS * 5, late.set)
    timer.start()
    yield
    timer.cancel()
    assert not late.is_set()


@pytest.mark.parametrize("seconds", [0, 19, 21, 3600, 86_000])
async def test_a_long_step_takes_no_time(fake: FakeTaskq, client: Any, seconds: float) -> None:
    fake.on("h", Step(1, seconds=seconds))
    before = fake.now
    assert await client.run("h", timeout_seconds=86_400) == 1
    assert await client.run("h", timeout_seconds=86_400, timeout=86_300) == 1
    assert 2 * seconds <= (fake.now - before).total_seconds() < 2 * seconds + 5


async def test_delays_and_pauses_take_no_time(fake: FakeTaskq, client: Any) -> None:
    fake.on("h", RuntimeError("no"), OSError("none"), 3)
    options = {"backoff_base_seconds": 40_000, "backoff_max_seconds": 86_400}
    assert await client.run("h", **options, delay_seconds=YEAR) == 3
    tasks = await client.submit_many(
        [{"handler": "taskq.sleep", "payload": {"seconds": 600 * n}} for n in range(9)]
    )
    done = await client.wait_all([task.id for task in tasks])
    assert [task.result for task in done] == [600 * n for n in range(9)]


async def test_a_task_goes_when_it_has_been_kept_for_as_long_as_it_says(
    fake: FakeTaskq, client: Any
) -> None:
    echo = ("taskq.echo", {"value": 1})
    short = await client.submit(*echo, keep_seconds=60, delay_seconds=3600, idempotency_key="k")
    waiting = await client.submit(*echo, keep_seconds=1, delay_seconds=YEAR)
    other = await client.submit(*echo)
    assert (await client.wait(short.id)).result == 1
    fake.advance(59)
    assert (await client.get(short.id)).result == 1
    fake.advance(2)
    with pytest.raises(NotFound):
        await client.get(short.id)
    assert (await client.submit(*echo, idempotency_key="k")).id != short.id
    fake.advance(YEAR / 2)
    assert {(await client.get(one.id)).status for one in (waiting, other)} == {
        "queued",
        "succeeded",
    }


async def test_a_task_that_is_tried_again_is_kept_from_its_last_end_on(
    fake: FakeTaskq, client: Any
) -> None:
    fake.on("h", RuntimeError("no"), 3)
    task = await client.submit("h", keep_seconds=60, max_retries=0)
    assert (await client.wait(task.id)).status == "failed"
    fake.advance(50)
    await client.retry(task.id)
    assert (await client.wait(task.id)).result == 3
    fake.advance(50)
    assert (await client.get(task.id)).result == 3


@pytest.mark.parametrize("timeout", [0, 0.0004, 0.2, 59, 3599])
async def test_a_deadline_that_nothing_meets_comes_soon(
    fake: FakeTaskq, client: Any, timeout: float
) -> None:
    task = await client.submit("taskq.sleep", {"seconds": 3600})
    before = fake.now
    for wait in (
        lambda: client.wait(task.id, timeout=timeout),
        lambda: client.wait_all([task.id], timeout=timeout),
        lambda: last(client.stream(task.id, timeout=timeout)),
    ):
        if (fake.now - before).total_seconds() + timeout < 3500:
            with pytest.raises(WaitTimeout):
                await wait()
    assert (await client.wait(task.id)).result == 3600


async def last(states: AsyncIterator[Any]) -> Any:
    return [state async for state in states][-1]


async def test_a_stream_of_a_long_task_ends_at_once(fake: FakeTaskq, client: Any) -> None:
    steps = [Progress(current=n, total=3) for n in (1, 2, 3)]
    fake.on("h", Step("done", seconds=7200, progress=steps))
    told: list[Any] = []
    options = {"timeout_seconds": 86_400, "delay_seconds": 5 * 86_400}
    assert await client.run("h", **options, on_progress=told.append) == "done"
    assert [progress.current for progress in told] == [1, 2, 3]


async def test_pauses_before_another_try_take_no_time(fake: FakeTaskq, client: Any) -> None:
    before = fake.now
    fake.fail_next(503, times=2, retry_after=50)
    assert await client.run("taskq.echo", {"value": 1}, timeout=500) == 1
    assert (fake.now - before).total_seconds() >= 100
    fake.break_next(2)
    assert await client.stats()
    fake.fail_next(520, times=9)
    with pytest.raises(Exception, match="520"):
        await client.stats()


async def test_a_deadline_waits_for_whoever_is_about_to_change_something(
    fake: FakeTaskq, client: Any
) -> None:
    task = await client.submit("taskq.sleep", {"seconds": 3600})
    waiting = asyncio.ensure_future(client.wait(task.id, timeout=600))
    for _ in range(20):
        await asyncio.to_thread(threading.Event().wait, 0.05)
        assert (await client.get(task.id)).status == "running"
    assert not waiting.done()
    await client.cancel(task.id)
    assert (await waiting).status == "cancelled"


def test_raw_requests_wait_as_long_as_they_say() -> None:
    fake = FakeTaskq(clock=lambda: datetime(2026, 10, 1, tzinfo=UTC))
    task = fake.client().submit("taskq.sleep", {"seconds": 3600})
    with httpx.Client(transport=fake, base_url="http://taskq") as raw:
        assert raw.get(f"/tasks/{task.id}", params={"wait": 60}).json()["status"] == "running"
    assert fake.now == datetime(2026, 10, 1, 0, 1, tzinfo=UTC)


def test_time_that_is_set_forward_lets_happen_what_was_due() -> None:
    times = [datetime(2026, 10, 1, tzinfo=UTC)]
    fake = FakeTaskq(clock=lambda: times[-1])
    task = fake.client().submit("taskq.sleep", {"seconds": 60}, delay_seconds=60)
    times.append(times[-1] + timedelta(days=1))
    final = task.refresh()
    assert (final.status, str(final.finished_at)) == ("succeeded", "2026-10-01 00:02:00+00:00")
    times.append(times[0])
    assert fake.client().run("taskq.sleep", {"seconds": 9}, timeout=20) == 9


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_time_goes_forward_only(taskq: FakeTaskq, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds must be"):
        taskq.advance(seconds)


def test_a_scripted_answer_can_have_any_status(taskq: FakeTaskq) -> None:
    client = taskq.client(max_retries=0)
    for status in (500, 502, 503, 520, 599):
        taskq.fail_next(status)
        with pytest.raises(Exception, match=str(status)):
            client.stats()
    taskq.fail_next()
    with pytest.raises(Unavailable):
        client.stats()


def test_a_transport_around_the_fake_works_too(taskq: FakeTaskq) -> None:
    seen: list[str] = []

    class Recorder(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            seen.append(request.method)
            return taskq.handle_request(request)

    with TaskqClient(transport=Recorder()) as client:
        assert client.run("taskq.sleep", {"seconds": 3600}, timeout=7200, timeout_seconds=7200)
    assert seen[0] == "POST"

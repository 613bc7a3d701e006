"""Code as users of `taskq_server` write it, where callers and workers share it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from datetime import timedelta
from typing import Any, Protocol, assert_type

from pydantic import BaseModel

from taskq_client import AsyncTaskqClient, TaskHandle, TaskqClient
from taskq_client.testing import FakeTaskq
from taskq_server import Context, State, TypedHandler, handler, on_startup
from taskq_server.handlers.clients import AsyncSubmittedTask, SubmittedTask, TaskSnapshot
from taskq_server.testing import HandlerRun, RecordedAttempt, handlers, run, run_async


class Shared(Protocol):
    currency: str


class Declared:
    pool: list[int]


class Report(BaseModel):
    month: str


@on_startup
async def prepare(state: Shared) -> None:
    state.currency = "EUR"


@handler("reports.build", max_retries=2)
async def build(context: Context[Shared], month: str, rows: int = 100) -> Report:
    assert_type(context.state, Shared)
    assert_type(context.state.currency, str)
    return Report(month=month)


@handler("files.count")
def count(path: str, *, most: int = 3) -> list[str]:
    return [path] * most


@handler("files.tidy", schedule=timedelta(minutes=5), schedule_namespace="team")
def tidy(days: int = 7) -> int:
    return days


@handler("files.report", schedule="0 6 * * *", timezone="Europe/Berlin")
async def report() -> None: ...


@handler
async def bare(context: Context, names: list[str]) -> None:
    assert_type(context.state, State)
    assert_type(context.state.anything, Any)


@handler()
def pooled(context: Context[Declared], **rest: float) -> float:
    assert_type(context.state.pool, list[int])
    return sum(rest.values())


@handler("echo")
async def echo(value: Any) -> str:
    return str(value)


@handler("nothing", process=True)
def nothing() -> int | None:
    return None


def blocking(client: TaskqClient) -> None:
    task = build.submit(client, month="2026-10")
    assert_type(task, SubmittedTask[Report])
    assert_type(task.result(timeout=3), Report)
    assert_type(task.id, str)
    assert_type(task.status, str)
    assert_type(task.task.attempt, int)
    assert_type(task.wait(5, on_progress=lambda step: print(step.current)), TaskSnapshot)
    assert_type(task.cancel().status, str)
    assert_type(task.refresh(), TaskSnapshot)
    assert_type(task.retry(), TaskSnapshot)
    assert_type(task.stream(), Generator[TaskSnapshot, None, None])
    assert_type(build.submit(client, "2026-10", 3).result(), Report)
    assert_type(build.submit(client, "2026-10", rows=3).result(), Report)
    assert_type(count.submit(client, path="x", most=3).result(), list[str])
    bare.submit(client, names=["x"]).result()
    assert_type(pooled.submit(client, a=1, b=2.5).result(), float)
    text: str = echo.submit(client, value=object).result()
    print(text)
    assert_type(nothing.submit(client).result(), int | None)
    urgent = build.submit.with_options(priority="urgent", tags=["a"], idempotency_key="k")
    assert_type(urgent(client, month="2026-10"), SubmittedTask[Report])
    one = build.submit.with_options(unique_key="k", on_conflict="replace")
    assert_type(one(client, month="2026-10").conflict, bool | None)
    if isinstance(task, TaskHandle):
        print(task.task.title)


async def asynchronous(client: AsyncTaskqClient) -> None:
    task = await build.submit(client, month="2026-10")
    assert_type(task, AsyncSubmittedTask[Report])
    assert_type(await task.result(timeout=3), Report)
    assert_type(await task.wait(), TaskSnapshot)
    assert_type((await task.cancel()).id, str)
    assert_type(task.stream(5), AsyncGenerator[TaskSnapshot, None])
    assert_type(await (await count.submit(client, "x")).result(), list[str])
    assert_type(count.submit(client, "x"), Awaitable[AsyncSubmittedTask[list[str]]])
    await build.submit.with_options(title="t")(client, month="x")


async def called_as_ever(context: Context[Shared], anyone: Context[Any]) -> None:
    assert_type(await build(context, "2026-10"), Report)
    assert_type(await build(context=context, month="2026-10", rows=3), Report)
    assert_type(count("x", most=2), list[str])
    assert_type(pooled(anyone, a=1), float)
    plain: Callable[[str], list[str]] = count
    coroutine: Callable[[Context[Shared], str], Coroutine[Any, Any, Report]] = build
    either: TypedHandler[..., object] = build
    print(plain, coroutine, either.__name__)


def test_mine(taskq: FakeTaskq) -> None:
    def stop(attempt: RecordedAttempt) -> None:
        attempt.cancel()

    ran = run(build, {"month": "x"}, state={"currency": "EUR"}, watch=stop, random=lambda: 0.5)
    assert_type(ran, HandlerRun)
    assert_type(ran.attempts[0].backoff_seconds, float | None)
    assert_type(ran.progress[0].total, float | None)
    print(ran.status == "cancelled", ran.children[0].request.priority)
    with handlers("jobs", state=object()) as loaded:
        taskq.load(loaded)


async def test_awaited() -> None:
    assert_type(await run_async(count, {"path": "x"}, max_retries=1, timeout=1), HandlerRun)

"""Handlers of a shop, to be loaded into the fake server, and into a real one."""

import asyncio
from typing import Annotated

from pydantic import BaseModel, Field

from taskq_server import (
    Backoff,
    Context,
    Fatal,
    Retry,
    State,
    TaskEvent,
    handler,
    on_job_failure,
    on_retry,
    on_shutdown,
    on_startup,
)
from taskq_server.domain.errors import Rejected

told: list[str] = []
"""What the hooks have said in this process."""


class Line(BaseModel):
    """A line of an order."""

    article: str
    pieces: Annotated[int, Field(gt=0)] = 1


class Bill(BaseModel):
    """What a customer pays."""

    order: int
    total: int
    currency: str


@on_startup
async def open_shop(state: State) -> None:
    """Prepare the state."""
    state.currency = "EUR"
    state.loop = asyncio.get_running_loop()
    told.append("open")


@on_shutdown
def close_shop(state: State) -> None:
    """Tell that the worker stops."""
    told.append("closed")


@on_retry
def say_again(event: TaskEvent) -> None:
    """Tell of a failure that is tried again."""
    told.append(f"again: {event.error_message}")


@on_job_failure
async def say_no(event: TaskEvent) -> None:
    """Tell of the last failure."""
    told.append(f"no: {event.error_message}")


@handler("shop.bill", max_retries=1, timeout=9, backoff=Backoff(base=100, cap=100))
async def bill(context: Context, order: int, lines: list[Line], failures: int = 0) -> Bill:
    """Print a bill."""
    assert asyncio.get_running_loop() is context.state.loop
    await context.progress(context.attempt, 2, "printing")
    if context.attempt <= failures:
        raise OSError("no paper")
    return Bill(order=order, total=sum(n.pieces for n in lines), currency=context.state.currency)


@handler("shop.later")
def later(context: Context, seconds: float) -> int:
    """Ask for another try once."""
    if context.attempt == 1:
        raise Retry("not yet", after=seconds)
    return context.attempt


@handler("shop.never", retry_on=OSError)
async def never(fatal: bool) -> None:
    """Fail for good."""
    raise Fatal("sold out") if fatal else ValueError("not on the list")


@handler("shop.slow", timeout=0.05, max_retries=0)
async def slow() -> None:
    """Take too long."""
    await asyncio.sleep(60)


@handler("shop.order")
async def order(context: Context, number: int, child: str = "shop.bill") -> str:
    """Submit a bill, as one child however often it is tried; answer its id, or the refusal."""
    payload = {"order": number, "lines": [{"article": "x", "pieces": 3}]}
    try:
        first = await context.submit(child, payload, priority="high", tags=["b", "a"])
        if context.attempt == 1:
            raise OSError("once more")
        return str(first)
    except Rejected as error:
        return type(error).__name__


@handler("shop.ask")
async def ask(context: Context) -> int:
    """Block the event loop until another task has ended; `state.client` submits it."""
    attempts: int = context.state.client.run("shop.later", {"seconds": 5})
    return attempts


@handler("shop.traced")
async def traced(context: Context, children: int = 0) -> dict[str, str | None]:
    """Return the trace that the task belongs to, and a child if one is wanted."""
    child = await context.submit("shop.traced") if children else ""
    return {"traceparent": context.traceparent, "child": str(child)}

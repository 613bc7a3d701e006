"""Handlers whose spans are written into a file, by workers and by their processes."""

import time

from opentelemetry import trace

from taskq_server import Backoff, Context, TaskEvent, handler, on_job_failure, on_retry
from tests.support.spans import record_in_file

record_in_file()
_tracer = trace.get_tracer("application")


@on_retry
async def again(event: TaskEvent) -> None:
    """Make a span within that of the hook."""
    with _tracer.start_as_current_span(f"again {event.attempt}"):
        pass


@on_job_failure
def never(event: TaskEvent) -> None:
    """Make a span in a thread, and fail."""
    with _tracer.start_as_current_span(f"never {event.attempt}"):
        raise LookupError("no such thing")


@handler("traced.loop")
async def on_loop(context: Context, child: str = "") -> dict[str, str | None]:
    """Make a span, and submit a child within it."""
    with _tracer.start_as_current_span("inside"):
        task = str(await context.submit(child)) if child else None
    return {"traceparent": context.traceparent, "child": task}


@handler("traced.thread")
def in_thread(context: Context, child: str = "") -> dict[str, str | None]:
    """Do the same in a thread."""
    with _tracer.start_as_current_span("inside"):
        task = str(context.submit_blocking(child)) if child else None
    return {"traceparent": context.traceparent, "child": task}


@handler("traced.process", process=True)
def in_process(context: Context, child: str = "") -> dict[str, str | None]:
    """Do the same in a process."""
    return in_thread(context, child)


@handler("traced.broken", max_retries=1, backoff=Backoff(base=0.001))
async def broken() -> None:
    """Fail twice."""
    raise ValueError("broken\nwith a second line")


@handler("traced.slow", timeout=0.2, max_retries=0)
def slow(context: Context) -> None:
    """Take too long."""
    while not context.cancelled:
        time.sleep(0.01)

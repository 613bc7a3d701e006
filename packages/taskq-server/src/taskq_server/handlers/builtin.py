"""Handlers for trying things out; a worker has them if `TASKQ_BUILTIN_HANDLERS` is true."""

import asyncio
from typing import Annotated, Any

from pydantic import Field

from taskq_server.domain import limits
from taskq_server.handlers.context import Context
from taskq_server.handlers.declare import handler


@handler("taskq.echo")
async def echo(value: Any) -> Any:
    """Answer the value."""
    return value


@handler("taskq.sleep", timeout=limits.TIMEOUT_SECONDS)
async def sleep(seconds: Annotated[float, Field(ge=0, le=limits.TIMEOUT_SECONDS)]) -> float:
    """Wait, then answer how many seconds were asked for."""
    await asyncio.sleep(seconds)
    return seconds


@handler("taskq.flaky")
async def flaky(context: Context, failures: Annotated[int, Field(ge=0, le=limits.RETRIES)]) -> int:
    """Fail the first attempts, then answer the attempt's number."""
    if context.attempt <= failures:
        raise RuntimeError(f"attempt {context.attempt} of {failures} that fail on purpose")
    return context.attempt

"""Short, bounded waiting for something outside this process."""

import asyncio
import time
from collections.abc import Awaitable, Callable


def wait_until(
    condition: Callable[[], bool],
    timeout: float,
    what: str,
    interval: float = 0.02,
    details: Callable[[], str] = str,
) -> None:
    """Poll until the condition holds.

    Args:
        condition: Asked again and again.
        timeout: Seconds before it is an error.
        what: What is waited for, for the message.
        interval: Seconds between two questions.
        details: More text for the message, called only on failure.

    Raises:
        TimeoutError: The time is up.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s\n{details()}".rstrip())
        time.sleep(interval)


async def eventually(
    condition: Callable[[], Awaitable[object]], what: str, timeout: float = 180
) -> None:
    """Poll on an event loop until the condition is true; see `wait_until`.

    Raises:
        TimeoutError: The time is up.
    """
    deadline = time.monotonic() + timeout
    while not await condition():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        await asyncio.sleep(0.02)

import asyncio
import time

from taskq_server.core.loop_lag import watch
from taskq_server.core.observer import Nobody


class Noted(Nobody):
    def __init__(self) -> None:
        self.lags: asyncio.Queue[float] = asyncio.Queue()

    def loop_lagged(self, seconds: float) -> None:
        self.lags.put_nowait(seconds)


async def test_an_event_loop_that_is_blocked_is_late() -> None:
    noted = Noted()
    watching = asyncio.create_task(watch(noted))
    async with asyncio.timeout(60):
        assert await noted.lags.get() >= 0
        time.sleep(1)  # noqa: ASYNC251 - it is the subject
        assert await noted.lags.get() > 0.5
    watching.cancel()

"""The worker: `arq worker.WorkerSettings` runs the jobs that main.py puts on the queue."""

import asyncio
import os
from typing import Any

from arq.connections import RedisSettings


async def simulated_task(context: dict[str, Any], name: str) -> str:
    print(f"job {context['job_id']}: working for {name}", flush=True)
    await asyncio.sleep(float(os.environ.get("TASK_SECONDS", "1")))
    return f"Hello {name}, from the worker"


class WorkerSettings:
    functions = [simulated_task]  # noqa: RUF012 (arq reads a plain class attribute)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])

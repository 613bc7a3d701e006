"""The worker: load the row, mark it running, run the handler, store the result."""

import os
from typing import Any, ClassVar

from arq.connections import RedisSettings

from benchmarks.peers.handwritten.models import Session, Task
from benchmarks.tasks import digest, noop

HANDLERS: dict[str, Any] = {"bench.noop": noop, "bench.digest": digest}


async def execute_task(ctx: dict[str, Any], task_id: str) -> None:
    async with Session() as db:
        task = await db.get(Task, task_id)
        if task is None:
            return
        task.status = "running"
        await db.commit()
        try:
            task.result = await HANDLERS[task.handler](**task.payload)
            task.status = "succeeded"
        except Exception as error:
            task.status = "failed"
            task.error = str(error)
        await db.commit()


class WorkerSettings:
    functions: ClassVar[list[Any]] = [execute_task]
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    max_jobs = 100
    poll_delay = 0.01
    keep_result = 0

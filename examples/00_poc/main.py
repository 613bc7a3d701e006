"""The endpoint: put a job on the queue, and ask for its result."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.redis = await create_pool(RedisSettings.from_dsn(os.environ["REDIS_URL"]))
    yield
    await app.state.redis.aclose()


app = FastAPI(title="taskq proof of concept", lifespan=lifespan)


@app.post("/tasks", status_code=202)
async def submit(name: str) -> dict[str, str]:
    job = await app.state.redis.enqueue_job("simulated_task", name)
    return {"id": job.job_id}


@app.get("/tasks/{job_id}")
async def result(job_id: str) -> dict[str, str | None]:
    job = Job(job_id, app.state.redis)
    info = await job.result_info()
    return {"status": await job.status(), "result": info.result if info else None}

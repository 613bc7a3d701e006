"""The API: validate, add a row, commit, enqueue, answer."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from arq import create_pool
from arq.connections import RedisSettings
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.peers.handwritten.models import Base, Session, Task, engine


class TaskCreate(BaseModel):
    handler: str = Field(max_length=128)
    payload: dict[str, Any] = {}
    title: str | None = Field(None, max_length=255)
    description: str | None = None
    priority: str = "normal"
    max_retries: int = 3


class TaskRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    handler: str
    title: str
    description: str | None
    payload: dict[str, Any]
    status: str
    priority: str
    result: Any
    error: str | None
    max_retries: int
    current_retry_count: int
    created_at: datetime
    updated_at: datetime


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    app.state.redis = await create_pool(RedisSettings.from_dsn(os.environ["REDIS_URL"]))
    yield
    await app.state.redis.aclose()
    await engine.dispose()


async def session() -> AsyncIterator[AsyncSession]:
    async with Session() as opened:
        yield opened


app = FastAPI(lifespan=lifespan)


@app.post("/tasks", status_code=201, response_model=TaskRead)
async def create(new: TaskCreate, db: Annotated[AsyncSession, Depends(session)]) -> Task:
    task = Task(**new.model_dump(exclude={"title"}), title=new.title or new.handler)
    db.add(task)
    await db.commit()
    await app.state.redis.enqueue_job("execute_task", task.id)
    return task


@app.get("/tasks/{task_id}", response_model=TaskRead)
async def get(task_id: str, db: Annotated[AsyncSession, Depends(session)]) -> Task:
    task = await db.get(Task, task_id)
    if task is None:
        raise HTTPException(404)
    return task

"""A web application that answers at once and leaves the work to taskq.

Start a server that loads examples/handlers.py, in the folder above, then run this script, which
plays a visitor of its own application, and then a test of it:

    taskq-server dev --handlers examples.handlers
    python examples/08_fastapi_app.py
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any
from uuid import UUID

import httpx
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from taskq_client import (
    AsyncTaskqClient,
    InvalidTransition,
    NotFound,
    TaskqConnectionError,
    TaskqTimeout,
    Unavailable,
    WaitTimeout,
)
from taskq_client.testing import FakeTaskq


class Report(BaseModel):
    month: str
    rows: int
    currency: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # One client for the whole application: it keeps connections, and all requests share it.
    async with AsyncTaskqClient() as app.state.taskq:
        yield


async def shared_client(request: Request) -> AsyncTaskqClient:
    """What routes depend on, so that tests can put another one in its place."""
    client: AsyncTaskqClient = request.app.state.taskq
    return client


Taskq = Annotated[AsyncTaskqClient, Depends(shared_client)]
app = FastAPI(lifespan=lifespan)


async def try_later(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "the reports are closed for a moment"}, 503)


for away in (Unavailable, TaskqConnectionError, TaskqTimeout):
    app.add_exception_handler(away, try_later)


@app.post("/reports/{month}", status_code=202)
async def order(month: str, taskq: Taskq) -> dict[str, str]:
    """Store the task and answer; the same month twice is one task."""
    task = await taskq.submit(
        "reports.build", {"month": month}, idempotency_key=f"report-{month}", tags=["web"]
    )
    # The key stands for this task as long as it is stored, so one that failed is what comes back.
    if task.status in ("failed", "cancelled"):
        with suppress(InvalidTransition):  # another visitor was faster
            await task.retry()
    return {"id": task.id, "status": task.status}


@app.get("/reports/{task_id}")
async def look(
    task_id: UUID, taskq: Taskq, wait: Annotated[float, Query(ge=0, le=60)] = 0
) -> dict[str, Any]:
    """Say how it stands, at once or when it is done."""
    try:
        task = await taskq.wait(str(task_id), timeout=wait)
    except WaitTimeout as late:
        task = late.task
    except NotFound:
        raise HTTPException(404, "there is no such report") from None
    return {"status": task.status, "report": task.result}


@app.get("/now/{month}")
async def now(month: str, taskq: Taskq) -> Report:
    """Build one while the visitor waits; this costs no thread and no database connection."""
    return await taskq.run("reports.build", {"month": month}, returns=Report, timeout=30)


def a_visitor() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app")


async def visit() -> None:
    async with lifespan(app), a_visitor() as visitor:
        print((await visitor.get("/now/2026-10")).json())

        ordered = await visitor.post("/reports/2026-11")
        again = await visitor.post("/reports/2026-11")
        print(ordered.status_code, ordered.json()["id"] == again.json()["id"])
        seen = await visitor.get(f"/reports/{ordered.json()['id']}", params={"wait": 20})
        print(seen.json()["status"], seen.json()["report"]["month"])
        nobody = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
        print((await visitor.get(f"/reports/{nobody}")).status_code)


async def a_month_that_failed_can_be_ordered_again(taskq: FakeTaskq) -> None:
    taskq.on("reports.build", *[OSError("no data yet")] * 4, {"month": "2026-12"})
    client = taskq.async_client()
    # Without parameters, since FastAPI would read those of this function from the request.
    app.dependency_overrides[shared_client] = lambda: client

    async with a_visitor() as visitor:
        seen = []
        for _ in range(2):
            ordered = (await visitor.post("/reports/2026-12")).json()
            looked = await visitor.get(f"/reports/{ordered['id']}", params={"wait": 20})
            seen.append(looked.json()["status"])
        assert seen == ["failed", "succeeded"]
    app.dependency_overrides.clear()


asyncio.run(visit())
asyncio.run(a_month_that_failed_can_be_ordered_again(FakeTaskq()))
print("tested")

# prints:
# {'month': '2026-10', 'rows': 100, 'currency': 'EUR'}
# 202 True
# succeeded 2026-11
# 404
# tested

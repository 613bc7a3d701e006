"""A web application that answers at once and leaves the work to taskq.

Start a server that loads examples/handlers.py, in the folder above, then run this script, which
plays a visitor of its own application:

    taskq-server dev --handlers examples.handlers
    python examples/08_fastapi_app.py
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

from taskq_client import AsyncTaskqClient, NotFound, Unavailable, WaitTimeout


class Report(BaseModel):
    month: str
    rows: int
    currency: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # One client for the whole application: it keeps connections, and all requests share it.
    async with AsyncTaskqClient() as app.state.taskq:
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(Unavailable)
async def try_later(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "the reports are closed for a moment"}, 503)


@app.post("/reports/{month}", status_code=202)
async def order(month: str, request: Request) -> dict[str, str]:
    """Store the task and answer; the same month twice is one task."""
    taskq: AsyncTaskqClient = request.app.state.taskq
    task = await taskq.submit(
        "reports.build", {"month": month}, idempotency_key=f"report-{month}", tags=["web"]
    )
    return {"id": task.id, "status": task.status}


@app.get("/reports/{task_id}")
async def look(task_id: str, request: Request, wait: float = 0) -> dict[str, Any]:
    """Say how it stands, at once or when it is done."""
    taskq: AsyncTaskqClient = request.app.state.taskq
    try:
        task = await taskq.wait(task_id, timeout=wait)
    except WaitTimeout as late:
        task = late.task
    except NotFound:
        raise HTTPException(404, "there is no such report") from None
    return {"status": task.status, "report": task.result}


@app.get("/now/{month}")
async def now(month: str, request: Request) -> Report:
    """Build one while the visitor waits; this costs no thread and no database connection."""
    taskq: AsyncTaskqClient = request.app.state.taskq
    return await taskq.run("reports.build", {"month": month}, returns=Report, timeout=30)


with TestClient(app) as visitor:
    print(visitor.get("/now/2026-10").json())

    ordered = visitor.post("/reports/2026-11")
    again = visitor.post("/reports/2026-11")
    print(ordered.status_code, ordered.json()["id"] == again.json()["id"])
    seen = visitor.get(f"/reports/{ordered.json()['id']}", params={"wait": 20}).json()
    print(seen["status"], seen["report"]["month"])
    print(visitor.get("/reports/019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911").status_code)

# prints:
# {'month': '2026-10', 'rows': 100, 'currency': 'EUR'}
# 202 True
# succeeded 2026-11
# 404

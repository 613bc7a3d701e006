"""A FastAPI route that validates a task and stores nothing: what the framework alone costs."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.base import Web
from benchmarks.peers.uvicorn import start_uvicorn

app = FastAPI()


class Create(BaseModel):
    handler: str
    payload: dict[str, Any] = {}
    title: str | None = None
    priority: str = "normal"
    max_retries: int = 3


class Read(Create):
    id: str
    status: str


@app.post("/tasks", status_code=201)
async def create(new: Create) -> Read:
    return Read(**new.model_dump(), id=str(uuid4()), status="queued")


class Nothing(Web):
    """Only an API."""

    name = "nothing"

    def prepare(self) -> None:
        return

    @property
    def environment(self) -> Mapping[str, str]:
        return {}

    def start_api(self) -> None:
        self.port = start_uvicorn(self, "benchmarks.peers.nothing:app")

"""The hand-written stack as a contestant."""

import time
from collections.abc import Mapping

import httpx

from benchmarks import tasks
from benchmarks.peers.base import Queue, RoundTrip, Web
from benchmarks.peers.uvicorn import start_uvicorn
from benchmarks.servers import Mysql

_APP = "benchmarks.peers.handwritten.app:app"
_POLL_SECONDS = 0.05


class Handwritten(Web, Queue):
    """uvicorn on uvloop, 20 to 40 connections; arq with 100 jobs, polling each 10 ms."""

    name = "handwritten"

    def prepare(self) -> None:
        self.servers.valkey.flush()
        self._url = self.stack.enter_context(self.servers.mariadb.database())
        self._sql = Mysql(self._url)
        self.stack.callback(self._sql.close)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"DATABASE_URL": self._url, "REDIS_URL": self.servers.valkey.url}

    def start_api(self) -> None:
        self.port = start_uvicorn(self, _APP)

    def start_worker(self) -> None:
        self.run(["arq", "benchmarks.peers.handwritten.worker.WorkerSettings"])

    def fill(self, count: int) -> float:
        raise NotImplementedError("it has no bulk call")

    def done(self) -> int:
        return self._sql.number("SELECT COUNT(*) FROM tasks WHERE status = 'succeeded'")

    def round_trip(self) -> RoundTrip:
        self.start_api()
        self.start_worker()
        url = f"http://127.0.0.1:{self.port}"
        client = self.stack.enter_context(httpx.Client(base_url=url, trust_env=False))

        def once() -> object:
            task = client.post("/tasks", json=tasks.new_task(1)).json()
            while task["status"] != "succeeded":
                time.sleep(_POLL_SECONDS)
                task = client.get(f"/tasks/{task['id']}").json()
            return task["result"]

        return once

"""taskq with its default settings, as `api` and `worker` or as one `dev`."""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing

import httpx

from benchmarks import tasks
from benchmarks.peers.base import Queue, RoundTrip, Web
from benchmarks.servers import Mysql
from taskq_client import TaskqClient
from tests.support.ports import free_port
from tests.support.processes import run_server_command

_HANDLERS = "benchmarks.handlers"


class Taskq(Web, Queue):
    """MariaDB and Valkey, one API process, one worker."""

    name = "taskq"

    def prepare(self) -> None:
        self.servers.valkey.flush()
        self.use(self.stack.enter_context(self.servers.mariadb.database()), self.servers.valkey.url)

    def use(self, database_url: str, redis_url: str) -> None:
        """Make taskq's tables in an empty database."""
        self._url, self._redis_url = database_url, redis_url
        self.sql = Mysql(database_url)
        self.stack.callback(self.sql.close)
        done = run_server_command(["db", "upgrade"], self.environment)
        if done.returncode:
            raise RuntimeError(done.stderr)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "TASKQ_DATABASE_URL": self._url,
            "TASKQ_REDIS_URL": self._redis_url,
            "TASKQ_HANDLERS": _HANDLERS,
        }

    def start_api(self) -> None:
        self.port = free_port()
        self._publish()
        self.run(["taskq_server", "api", "--host=127.0.0.1", f"--port={self.port}"])
        self.wait_for_api()

    def start_worker(self) -> None:
        self.run(["taskq_server", "worker"])

    def fill(self, count: int) -> float:
        self.start_api()
        api = self.children[-1]
        with TaskqClient(f"http://127.0.0.1:{self.port}", timeout=60) as client:
            items = [tasks.new_task(n) for n in range(count)]
            start = time.perf_counter()
            client.submit_many(items)
            seconds = time.perf_counter() - start
        api.stop()
        return seconds

    def done(self) -> int:
        return self.sql.number("SELECT COUNT(*) FROM tasks WHERE status = 'succeeded'")

    def round_trip(self) -> RoundTrip:
        self.start_api()
        self.start_worker()
        client = self.stack.enter_context(TaskqClient(f"http://127.0.0.1:{self.port}"))

        def once() -> object:
            return client.wait(client.submit(**tasks.new_task(1)), timeout=10).result

        return once

    def wait_for_api(self) -> None:
        """Wait until it is ready and knows the handler."""
        url = f"http://127.0.0.1:{self.port}"
        with httpx.Client(base_url=url, headers=self.headers, trust_env=False) as client:

            def knows() -> bool:
                try:
                    return tasks.HANDLER in client.get("/handlers").text
                except httpx.TransportError:
                    return False

            self.wait(knows, 30, "API ready")

    def _publish(self) -> None:
        """Let a worker publish the handler, once; it is stopped before it can take a task."""
        query = f"SELECT COUNT(*) FROM handlers WHERE name = '{tasks.HANDLER}'"
        if self.sql.number(query):
            return
        worker = self.run(["taskq_server", "worker"])
        self.wait(lambda: self.sql.number(query) == 1, 30, "handlers published")
        worker.stop()


class Dev(Taskq):
    """SQLite and embedded Valkey: `taskq-server dev`, one process."""

    name = "taskq-dev"

    def prepare(self) -> None:
        self._data = self.folder / "data"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"TASKQ_HANDLERS": _HANDLERS}

    def start_api(self) -> None:
        self.port = free_port()
        address = ["--host=127.0.0.1", f"--port={self.port}"]
        self.run(["taskq_server", "dev", f"--data-dir={self._data}", *address])
        self.wait_for_api()

    def start_worker(self) -> None:
        """The API process is the worker too."""

    def done(self) -> int:
        query = "SELECT COUNT(*) FROM tasks WHERE status = 'succeeded'"
        with closing(sqlite3.connect(self._data / "taskq.db")) as connection:
            return int(connection.execute(query).fetchone()[0])

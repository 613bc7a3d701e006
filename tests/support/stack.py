"""A whole taskq: database, Redis, API and worker, as real processes that a test may kill."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, Self

import httpx

from taskq_server.broker.names import Names
from tests.support.children import stop_all
from tests.support.mariadb import MariaDBServer
from tests.support.mysql_proxy import MySQLProxy
from tests.support.ports import free_port
from tests.support.processes import ApiProcess, ServerProcess, run_server_command
from tests.support.redis_proxy import RedisProxy
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

Kind = Literal["sqlite", "mariadb"]
HANDLERS = "tests.support.handlers"


class Stack:
    """One taskq, as a context manager.

    `sqlite` is one `taskq-server dev` process with SQLite and embedded Valkey: it is the API and
    the worker, so that to kill one is to kill the other. `mariadb` has a database of its own on a
    MariaDB server, with an account that has no other rights, a Valkey server of its own unless the
    settings name one, and `api` and `worker` processes.

    Args:
        kind: Which of the two.
        mariadb: The server for the database; only the kind `mariadb` needs it.
        settings: TASKQ_ environment variables, and others, for all processes.
        workers: How many workers the kind `mariadb` starts with.
        proxied: Whether proxies stand before the servers of the kind `mariadb`.

    Attributes:
        mysql_proxy: The one before the database.
        redis_proxy: The one before Redis.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        mariadb: MariaDBServer | None = None,
        settings: Mapping[str, str] | None = None,
        workers: int = 1,
        proxied: bool = False,
    ) -> None:
        self.kind = kind
        self.mariadb = mariadb
        self.redis: ValkeyServer | None = None
        self.mysql_proxy: MySQLProxy | None = None
        self.redis_proxy: RedisProxy | None = None
        self._proxied = proxied
        self.apis: list[ServerProcess] = []
        self.workers: list[ServerProcess] = self.apis if kind == "sqlite" else []
        self._first_workers = workers
        ours = {"TASKQ_HANDLERS": HANDLERS, "TASKQ_BUILTIN_HANDLERS": "true"}
        self._settings = {**ours, **(settings or {})}
        self._started: list[ServerProcess] = []
        self._cleanup = ExitStack()
        self._port = free_port()

    @property
    def api_url(self) -> str:
        """Where the first API process listens, also after it was started again."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def database_url(self) -> str:
        """What the processes have as TASKQ_DATABASE_URL."""
        return self._settings["TASKQ_DATABASE_URL"]

    @property
    def redis_url(self) -> str | None:
        """What the processes have as TASKQ_REDIS_URL; None where `dev` embeds its own."""
        return self._settings.get("TASKQ_REDIS_URL")

    @cached_property
    def names(self) -> Names:
        """What the processes call things in Redis."""
        prefix = self._settings.get("TASKQ_REDIS_PREFIX", "taskq")
        return Names(prefix, self.command("db", "deployment").strip())

    def command(self, *words: str) -> str:
        """What a `taskq-server` command prints that has the settings of the processes."""
        done = run_server_command([*words], self._settings)
        if done.returncode:
            raise RuntimeError(f"taskq-server {words} failed\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def start_api(
        self, settings: Mapping[str, str] | None = None, *, port: int | None = None
    ) -> ApiProcess:
        """Start an API process and wait until it is ready.

        Args:
            settings: TASKQ_ variables for this process only.
            port: Its port, if not that of `api_url`.
        """
        words = ["dev", "--data-dir", str(self._data)] if self.kind == "sqlite" else ["api"]
        merged = {**self._settings, **(settings or {})}
        process = ApiProcess(words, merged, self._log(words[0]), port or self._port)
        self._started.append(process)
        self.apis.append(process)
        process.wait_ready()
        return process

    def start_worker(self, settings: Mapping[str, str] | None = None, *words: str) -> ServerProcess:
        """Start a worker process; it may take a second until it takes tasks.

        Args:
            settings: TASKQ_ variables for this process only.
            words: Options of the command, where it is one of its own.
        """
        if self.kind == "sqlite":
            return self.start_api(settings)
        merged = {**self._settings, **(settings or {})}
        process = ServerProcess(["worker", *words], merged, self._log("worker"))
        self._started.append(process)
        self.workers.append(process)
        return process

    def wait_for_handlers(self) -> None:
        """Wait until the API knows a handler, as it does once a worker has published it."""
        with httpx.Client(base_url=self.api_url, timeout=180, trust_env=False) as client:

            def published() -> bool:
                answer = client.get("/handlers")
                return answer.is_success and '"taskq.echo"' in answer.text

            wait_until(published, 180, "handlers published", 0.05, lambda: str(self.logs()))

    def kill_api(self) -> None:
        """End the oldest API process with SIGKILL."""
        self.apis.pop(0).kill()

    def kill_worker(self) -> None:
        """End the oldest worker process with SIGKILL."""
        self.workers.pop(0).kill()

    def stop_api(self, timeout: float = 180) -> int:
        """End the oldest API process with SIGTERM; its exit status."""
        return self.apis.pop(0).stop(timeout)

    def stop_worker(self, timeout: float = 180) -> int:
        """End the oldest worker process with SIGTERM; its exit status."""
        return self.workers.pop(0).stop(timeout)

    def logs(self) -> list[tuple[str, str]]:
        """Name and last output of every process that was started."""
        return [(f"{each.name}, pid {each.pid}", each.output()) for each in self._started]

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="taskq-stack-"))
        self._data = self._folder / "data"
        self._settings.setdefault("TMPDIR", str(self._folder))  # a killed process leaves things
        self._cleanup.callback(shutil.rmtree, self._folder, ignore_errors=True)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._cleanup:
            stop_all(self._started)

    def _start(self) -> None:
        if self.kind == "sqlite":
            database = f"sqlite+aiosqlite:///{self._data / 'taskq.db'}"
            self._settings["TASKQ_DATABASE_URL"] = database
            self._data.mkdir()
            self.start_api()
            self.wait_for_handlers()
            return
        if self.mariadb is None:
            raise ValueError("a stack of the kind mariadb needs a MariaDBServer")
        redis = self.redis_url
        if redis is None:
            self.redis = self._cleanup.enter_context(ValkeyServer())
            redis = self.redis.url
        schema = self._cleanup.enter_context(self.mariadb.database())
        database = self._cleanup.enter_context(self.mariadb.account(schema))
        if self._proxied and self.redis is not None:
            self.mysql_proxy = self._cleanup.enter_context(MySQLProxy(self.mariadb.port))
            self.redis_proxy = self._cleanup.enter_context(RedisProxy(self.redis.port))
            database, redis = self.mysql_proxy.through(database), self.redis_proxy.through(redis)
        self._settings |= {"TASKQ_REDIS_URL": redis, "TASKQ_DATABASE_URL": database}
        with ThreadPoolExecutor(1) as thread:  # this one may have a running event loop
            thread.submit(asyncio.run, _upgrade(database, self._namespaces())).result(180)
        for _ in range(self._first_workers):
            self.start_worker()
        self.start_api()
        if self._first_workers:
            self.wait_for_handlers()

    def _namespaces(self) -> list[str]:
        """The namespaces of the settings; `dev` makes them by itself."""
        named = [self._settings.get("TASKQ_NAMESPACE", "")]
        named += self._settings.get("TASKQ_NAMESPACES", "").split(",")
        return [name for name in named if name not in ("", "*")]

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}-{len(self._started)}.log"


async def _upgrade(url: str, namespaces: Iterable[str]) -> None:
    """Make the tables here: a process for each stack would take a second."""
    # Here, because the client's unit tests run without what the server needs.
    from taskq_server import migrations
    from taskq_server.core.database import Database
    from tests.support.namespaces import make_namespaces

    database = Database(url)
    try:
        await migrations.upgrade(database)
        await make_namespaces(database, *namespaces)
    finally:
        await database.close()


class NewStack(Protocol):
    """The type of the fixture `new_stack`."""

    def __call__(
        self,
        kind: Kind,
        *,
        settings: Mapping[str, str] | None = None,
        workers: int = 1,
        mariadb: MariaDBServer | None = None,
    ) -> Stack:
        """Start a stack that belongs to one test; `mariadb` replaces the shared server."""

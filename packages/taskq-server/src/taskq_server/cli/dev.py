"""`taskq-server dev`: everything in one process, from nothing."""

import asyncio
import contextlib
import fcntl
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
from fastapi import FastAPI

from taskq_server import migrations
from taskq_server.cli import options, serving
from taskq_server.cli.preparation import run_until_stopped, settle
from taskq_server.core import logs, private
from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.core.errors import ConfigurationError
from taskq_server.core.processes import end_children, keep_from_forks, leave
from taskq_server.core.redis import embedded_redis
from taskq_server.handlers.registry import Registry, load
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.worker.process import publish, run_worker
from taskq_server.worker.supervisor import Parent


@click.command()
@options.host
@options.port
@click.option("--data-dir", default=".taskq", show_default=True, envvar="TASKQ_DATA_DIR",
              type=click.Path(file_okay=False, path_type=Path))  # fmt: skip
@options.handlers
@options.insecure_no_auth
@options.log_level
def dev(
    host: str,
    port: int,
    data_dir: Path,
    handlers: str | None,
    insecure_no_auth: bool,
    log_level: str,
) -> None:
    """Run API, worker, database and Redis in one process, for development.

    The data directory keeps the tasks: a restart goes on where it was.
    """
    logs.configure(log_level)
    with _locked(data_dir):
        listener = serving.listen(host, port, insecure=insecure_no_auth)
        try:
            run_until_stopped(
                lambda stop: _run(data_dir, handlers, listener, stop, insecure=insecure_no_auth)
            )
        finally:
            end_children()
    leave(0)


async def _run(
    data_dir: Path,
    handlers: str | None,
    listener: socket.socket,
    stop: asyncio.Event,
    *,
    insecure: bool,
) -> None:
    settle()
    async with _redis_url() as redis_url:
        settings = _settings(data_dir, handlers, redis_url)
        registry = load(settings.handlers, builtin=settings.builtin_handlers)
        if not await unless(stop, _upgrade(settings.database_url.get_secret_value())):
            return
        async with open_runtime(settings) as runtime:
            if await unless(stop, publish(runtime, registry)):
                allowed_hosts = None if insecure else settings.allowed_hosts
                app = create_app(runtime=runtime, allowed_hosts=allowed_hosts)
                await _serve_and_work(app, runtime, registry, listener, stop)


async def _upgrade(url: str) -> None:
    """Move the schema to where a runtime expects it when it opens."""
    database = Database(url)
    try:
        await migrations.upgrade(database)
    finally:
        await database.close()


async def _serve_and_work(
    app: FastAPI,
    runtime: Runtime,
    registry: Registry,
    listener: socket.socket,
    stop: asyncio.Event,
) -> None:
    worker = asyncio.create_task(run_worker(runtime, registry, stop, Parent()))
    serving_http = asyncio.create_task(serving.serve(app, listener, stop))
    worker.add_done_callback(lambda _: stop.set())
    serving_http.add_done_callback(lambda _: stop.set())
    host, port = listener.getsockname()[:2]
    click.echo(f"taskq is running: http://{host}:{port}  (docs: http://{host}:{port}/docs)")
    click.echo("Press Ctrl-C to stop.")
    await asyncio.gather(worker, serving_http)


@asynccontextmanager
async def _redis_url() -> AsyncIterator[str]:
    configured = Settings.load().redis_url
    if configured is not None:
        yield configured.get_secret_value()
    else:
        async with embedded_redis() as url:
            yield url


def _settings(data_dir: Path, handlers: str | None, redis_url: str) -> Settings:
    given = Settings.load(handlers=handlers, redis_url=redis_url).model_fields_set
    path = data_dir.resolve() / "taskq.db"
    return Settings.load(
        handlers=handlers,
        redis_url=redis_url,
        database_url=None if "database_url" in given else f"sqlite+aiosqlite:///{path}",
        builtin_handlers=None if "builtin_handlers" in given else True,
    )


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    if data_dir.is_symlink():
        raise ConfigurationError(f"{data_dir} is a symbolic link: name the folder as --data-dir")
    try:
        private.make_folder(data_dir)
        lock = private.open_file(data_dir / "lock")
    except OSError as error:
        raise ConfigurationError(f"cannot use the data directory {data_dir}: {error}") from error
    with lock:
        keep_from_forks(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                f"another taskq-server uses {data_dir}: stop it, or choose another --data-dir"
            ) from None
        private.tighten(data_dir)
        yield

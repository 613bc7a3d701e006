"""`taskq-server dev`: API, worker, database and Redis in one process, without configuration."""

import asyncio
import contextlib
import fcntl
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
from fastapi import FastAPI
from pydantic import SecretStr

from taskq_server import migrations
from taskq_server.cli import _options as options
from taskq_server.cli._embedded_redis import embedded_redis
from taskq_server.cli._http import server as serving
from taskq_server.cli._startup import database_says, freeze_gc, prepare, run_until_stopped
from taskq_server.core import private
from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.core.dialects import embedded_url
from taskq_server.core.processes import end_children, keep_from_forks, leave
from taskq_server.core.stopping import Stop
from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers.registry import Registry, load
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.worker.app import publish, run_worker
from taskq_server.worker.liveness.supervisor import SupervisorLink


@click.command()
@options.host
@options.port
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=options.described("data_dir", "folder that keeps the tasks", ".taskq"),
)
@options.handlers
@options.insecure_no_auth
@options.root_path
@options.log_level
def dev(**given: object) -> None:
    """Run API, worker, database and Redis in one process, for development.

    The data directory keeps the tasks: a restart goes on where it was.
    """
    stop = Stop()
    settings = _completed(prepare(stop, **given))
    _require_own_namespace(settings)
    with _locked(settings.data_dir):
        listener = serving.listen(settings)
        try:
            registry = load(settings.handlers, builtin=settings.builtin_handlers)
            run_until_stopped(stop, lambda: _run(settings, registry, listener, stop))
        finally:
            end_children()
    leave(0)


def _completed(settings: Settings) -> Settings:
    """Return the settings, with the defaults of `dev` for those that are not set."""
    own = {
        "database_url": SecretStr(embedded_url(settings.data_dir.resolve() / "taskq.db")),
        "builtin_handlers": True,
    }
    unset = own.keys() - settings.model_fields_set
    return settings.model_copy(update={name: own[name] for name in unset})


def _require_own_namespace(settings: Settings) -> None:
    if settings.namespace not in settings.served_namespaces:
        raise ConfigurationError(
            f"TASKQ_NAMESPACES: add {settings.namespace}, the namespace of the API "
            "(TASKQ_NAMESPACE), because the worker of `dev` would run none of its tasks"
        )


async def _run(settings: Settings, registry: Registry, listener: socket.socket, stop: Stop) -> None:
    freeze_gc()
    async with _with_redis(settings) as complete:
        if not await unless(stop.asked, _upgrade(complete.database_url.get_secret_value())):
            return
        async with open_runtime(complete) as runtime:
            if await unless(stop.asked, publish(runtime, registry)):
                app = create_app(runtime=runtime, allowed_hosts=serving.allowed_hosts(complete))
                await _serve_and_work(app, runtime, registry, listener, stop)


async def _upgrade(url: str) -> None:
    """Migrate the schema to the revision that a runtime expects."""
    database = Database(url)
    try:
        with database_says():
            await migrations.upgrade(database)
    finally:
        await database.close()


async def _serve_and_work(
    app: FastAPI,
    runtime: Runtime,
    registry: Registry,
    listener: socket.socket,
    stop: Stop,
) -> None:
    worker = asyncio.create_task(run_worker(runtime, registry, stop, SupervisorLink()))
    serving_http = asyncio.create_task(serving.serve(app, listener, stop.asked))
    worker.add_done_callback(lambda _: stop.asked.set())
    serving_http.add_done_callback(lambda _: stop.asked.set())
    url = f"http://{serving.authority(*listener.getsockname()[:2])}"
    with contextlib.suppress(OSError):  # the reader of stdout is gone
        click.echo(f"taskq is running: {url}  (docs: {url}/docs)")
        click.echo("Press Ctrl-C to stop.")
    await asyncio.wait({worker, serving_http})
    await asyncio.gather(worker, serving_http)


@asynccontextmanager
async def _with_redis(settings: Settings) -> AsyncIterator[Settings]:
    if settings.redis_url is not None:
        yield settings
    else:
        async with embedded_redis() as url:
            yield settings.model_copy(update={"redis_url": SecretStr(url)})


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

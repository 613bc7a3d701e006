"""`taskq-server dev`: API, worker, database and Redis in one process, without configuration."""

import asyncio
import contextlib
import fcntl
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from taskq_server import migrations
from taskq_server.cli import _announcement as announcement
from taskq_server.cli import _options as options
from taskq_server.cli import _worker_child as working
from taskq_server.cli._embedded_redis import embedded_redis
from taskq_server.cli._http import server as serving
from taskq_server.cli._reload import Reloader
from taskq_server.cli._startup import database_says, prepare, run_until_stopped, tune_gc
from taskq_server.cli._variables import WithVariables
from taskq_server.cli._who_may_call import who_may_call
from taskq_server.core import private
from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.core.dialects import embedded_url
from taskq_server.core.processes import end_children, keep_from_forks, leave
from taskq_server.core.stopping import Stop
from taskq_server.domain.caller import ALL_NAMESPACES, DEFAULT_NAMESPACE
from taskq_server.domain.errors import ConfigurationError
from taskq_server.main import create_app
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services import admin_key
from taskq_server.services.namespaces import Namespaces
from taskq_server.worker.app import publish, run_worker
from taskq_server.worker.liveness.supervisor import SupervisorLink

_log = logging.getLogger("taskq.server")


@click.command(cls=WithVariables)
@options.host
@options.port
@options.uds
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=options.described("data_dir", "folder that keeps the tasks", ".taskq"),
)
@options.handlers
@click.option(
    "--reload",
    is_flag=True,
    help="start the worker again when Python files beside the handlers change",
)
@options.auth
@options.insecure_no_auth
@options.root_path
@options.access_log
@options.log_format
@options.log_level
def dev(reload: bool, **given: object) -> None:
    """Run API, worker, database and Redis in one process, for development.

    The data directory keeps the tasks: a restart goes on where it was.
    """
    parent = SupervisorLink()
    if parent.exists:
        working.work(parent, given, complete=_completed, say=partial(_say_handlers, parent))
    options.require_one_address(given)
    stop = Stop()
    settings = _completed(prepare(stop, given))
    _require_own_namespace(settings)
    admin_key.of(settings)  # refuse to start before anything is tried
    reloader = Reloader(settings) if reload else None
    with _locked(settings.data_dir):
        listener = serving.listen(settings)
        try:
            run = _with_reloader(reloader) if reloader else _with_handlers(settings)
            run_until_stopped(stop, lambda: _run(settings, run, listener, stop))
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
    # Its API shows the metrics and probes of this process.
    always: dict[str, object] = {"metrics_address": None}
    return settings.model_copy(update=always | {name: own[name] for name in unset})


def _require_own_namespace(settings: Settings) -> None:
    if not {settings.namespace, ALL_NAMESPACES}.intersection(settings.served_namespaces):
        raise ConfigurationError(
            f"TASKQ_NAMESPACES: add {settings.namespace}, the namespace of the API "
            "(TASKQ_NAMESPACE), because the worker of `dev` would run none of its tasks"
        )


Begin = Callable[[Sequence[str]], None]
"""Says what runs, with these handlers, and has the API serve."""

Work = Callable[[Runtime, Stop, Begin], Coroutine[Any, Any, object]]
"""Runs tasks until told to stop, and begins once the API can take them."""


async def _run(settings: Settings, work: Work, listener: socket.socket, stop: Stop) -> None:
    tune_gc()
    async with _with_redis(settings) as complete:
        if not await unless(stop.asked, _upgrade(complete)):
            return
        async with open_runtime(complete, admin=admin_key.of(complete)) as runtime:
            app = create_app(runtime=runtime, allowed_hosts=serving.allowed_hosts(complete))
            begun = asyncio.Event()
            access = await who_may_call(complete)

            def begin(handlers: Sequence[str]) -> None:
                _say_what_runs(settings, serving.url(listener), access, handlers)
                begun.set()

            async def serve() -> None:
                if await unless(stop.asked, begun.wait()):
                    access_log = complete.access_log
                    await serving.serve(app, listener, stop.asked, access_log=access_log)

            with announcement.told_at_the_end("taskq"):
                await _until_either_ends(stop, work(runtime, stop, begin), serve())


def _with_handlers(settings: Settings) -> Work:
    """Load the handlers, and return the work of a worker in this process."""
    registry = working.load_handlers(settings)

    async def work(runtime: Runtime, stop: Stop, begin: Begin) -> None:
        if await unless(stop.asked, publish(runtime, registry)):
            begin(sorted(registry.handlers))
            await run_worker(runtime, registry, stop, SupervisorLink())

    return work


def _with_reloader(reloader: Reloader) -> Work:
    async def work(runtime: Runtime, stop: Stop, begin: Begin) -> None:
        async def ready() -> None:
            listed = await runtime.catalog.handlers(runtime.caller)
            begin([one.name for one in listed if one.workers] or "none yet: no worker has started")

        await reloader.run(runtime.settings, stop, ready)

    return work


async def _upgrade(settings: Settings) -> None:
    """Migrate the schema to the revision that a runtime expects, and make its namespaces."""
    database = Database(settings.database_url.get_secret_value())
    wanted = {settings.namespace, *settings.namespaces} - {DEFAULT_NAMESPACE, ALL_NAMESPACES}
    try:
        with database_says():
            await migrations.upgrade(database)
            for name in sorted(wanted):
                await Namespaces(database).create(name)
    finally:
        await database.close()


async def _until_either_ends(stop: Stop, *parts: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(part) for part in parts]
    for task in tasks:
        task.add_done_callback(lambda _: stop.asked.set())
    await asyncio.wait(tasks)
    await asyncio.gather(*tasks)


def _say_what_runs(settings: Settings, url: str, access: str, handlers: Sequence[str]) -> None:
    what = f"taskq is running: {url}"
    if not sys.stdout.isatty():
        with contextlib.suppress(OSError):  # the reader of stdout is gone
            named = announcement.pages(settings, url).items()
            where = ", ".join(f"{name}: {address}" for name, address in named)
            click.echo(f"{what}  ({where})" if settings.uds is None else what)
    facts = announcement.of_api(settings, url, migrations.head())
    facts = {**facts, "auth": settings.asks_for_keys, "access": access}
    if settings.served_namespaces != (settings.namespace,):
        facts = {**facts, "namespaces": settings.served_namespaces}
    facts = {**facts, **announcement.of_worker(settings, handlers)}
    announcement.announce(what, facts, announcement.how_to_drain(settings))


def _say_handlers(
    parent: SupervisorLink, _: Settings, __: str | None, handlers: Sequence[str]
) -> None:
    """Log what a worker runs that has taken the place of another."""
    if not parent.is_first:
        _log.info("%d handlers: %s", len(handlers), ", ".join(handlers))


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

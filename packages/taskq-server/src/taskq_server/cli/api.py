"""`taskq-server api`: the HTTP service."""

import asyncio

import click

from taskq_server.cli import _announcement as announcement
from taskq_server.cli import _options as options
from taskq_server.cli._http import server as serving
from taskq_server.cli._startup import (
    prepare,
    require_redis,
    require_schema,
    run_until_stopped,
    tune_gc,
)
from taskq_server.cli._variables import WithVariables
from taskq_server.cli._who_may_call import who_may_call
from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.core.processes import leave
from taskq_server.core.stopping import Stop
from taskq_server.main import create_app
from taskq_server.runtime import open_runtime
from taskq_server.services import admin_key

_END_SECONDS = 10.0


@click.command(cls=WithVariables, without=("WorkSettings",))
@options.host
@options.port
@options.uds
@options.auth
@options.insecure_no_auth
@options.root_path
@options.access_log
@options.log_format
@options.log_level
def api(**given: object) -> None:
    """Serve the HTTP API. Needs TASKQ_DATABASE_URL and TASKQ_REDIS_URL."""
    options.require_one_address(given)
    stop = Stop()
    settings = prepare(stop, given)
    require_redis(settings)
    admin_key.of(settings)  # refuse to start before anything is tried
    run_until_stopped(stop, lambda: _serve(settings, stop))
    leave(0)


async def _serve(settings: Settings, stop: Stop) -> None:
    checking = asyncio.create_task(require_schema(settings))
    if not await unless(stop.asked, checking):
        return
    listener = serving.listen(settings)
    stop.allow(drain=0, end=settings.database_connect_seconds + _END_SECONDS)
    async with open_runtime(settings, admin=admin_key.of(settings)) as runtime:
        app = create_app(runtime=runtime, allowed_hosts=serving.allowed_hosts(settings))
        tune_gc()
        url = serving.url(listener)
        access = {"auth": settings.asks_for_keys, "access": await who_may_call(settings)}
        facts = {**announcement.of_api(settings, url, checking.result()), **access}
        announcement.announce(f"taskq API is running: {url}", facts, "Press Ctrl-C to stop.")
        with announcement.told_at_the_end("taskq API"):
            await serving.serve(app, listener, stop.asked, access_log=settings.access_log)

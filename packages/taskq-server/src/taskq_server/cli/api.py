"""`taskq-server api`: the HTTP service."""

import asyncio

import click

from taskq_server.cli import options, serving
from taskq_server.cli.preparation import require_redis, require_schema, run_until_stopped, settle
from taskq_server.core import logs
from taskq_server.core.background import unless
from taskq_server.core.config import Settings
from taskq_server.main import create_app


@click.command()
@options.host
@options.port
@options.insecure_no_auth
@options.log_level
def api(host: str, port: int, insecure_no_auth: bool, log_level: str) -> None:
    """Serve the HTTP API. Needs TASKQ_DATABASE_URL and TASKQ_REDIS_URL."""
    logs.configure(log_level)
    settings = Settings.load()
    require_redis(settings)
    run_until_stopped(lambda stop: _serve(settings, host, port, stop, insecure=insecure_no_auth))


async def _serve(
    settings: Settings, host: str, port: int, stop: asyncio.Event, *, insecure: bool
) -> None:
    if not await unless(stop, require_schema(settings)):
        return
    listener = serving.listen(host, port, insecure=insecure)
    app = create_app(settings, allowed_hosts=None if insecure else settings.allowed_hosts)
    settle()
    await serving.serve(app, listener, stop)

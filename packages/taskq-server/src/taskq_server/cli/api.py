"""`taskq-server api`: the HTTP service."""

import click

from taskq_server.cli import options, serving
from taskq_server.cli.preparation import require_redis, require_schema, run, settle, stop_event
from taskq_server.core import logs
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
    run(_serve(settings, host, port, insecure=insecure_no_auth))


async def _serve(settings: Settings, host: str, port: int, *, insecure: bool) -> None:
    await require_schema(settings)
    listener = serving.listen(host, port, insecure=insecure)
    stop = stop_event()
    app = create_app(settings)
    settle()
    await serving.serve(app, listener, stop)

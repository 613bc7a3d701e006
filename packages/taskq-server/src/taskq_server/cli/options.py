"""Options that several commands have."""

import click

host = click.option("--host", default="127.0.0.1", show_default=True, envvar="TASKQ_HOST")

port = click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    envvar="TASKQ_PORT",
    help="0 takes a free one",
)

insecure_no_auth = click.option(
    "--insecure-no-auth",
    is_flag=True,
    envvar="TASKQ_INSECURE_NO_AUTH",
    help="listen on an address that others can reach",
)

handlers = click.option(
    "--handlers", envvar="TASKQ_HANDLERS", help="modules with handlers, by commas"
)

log_level = click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False),
    default="INFO",
    show_default=True,
    envvar="TASKQ_LOG_LEVEL",
)

"""Options that several commands share. The settings in `core.config` supply the defaults."""

import click


def _joined(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> str | None:
    return ",".join(given) or None


host = click.option("--host", help="address to listen on  [default: 127.0.0.1]")

port = click.option(
    "--port", type=click.IntRange(0, 65_535), help="0 takes a free one  [default: 8000]"
)

insecure_no_auth = click.option(
    "--insecure-no-auth",
    is_flag=True,
    default=None,
    help="listen on an address that others can reach",
)

root_path = click.option("--root-path", help="prefix under which a proxy serves this, like /queue")

handlers = click.option(
    "--handlers",
    multiple=True,
    callback=_joined,
    help="modules with handlers, by commas; may be repeated",
)

log_level = click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False),
    help="lowest level that is logged  [default: INFO]",
)

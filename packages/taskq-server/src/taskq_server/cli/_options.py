"""Options that several commands share. The settings in `core.config` supply the defaults."""

import click

from taskq_server.core.environment import variable


def _joined(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> str | None:
    return ",".join(given) or None


def described(setting: str, text: str, default: object = None) -> str:
    """Return the help of an option that stands for a setting.

    Args:
        setting: its name, whose variable is shown.
        text: what it is for.
        default: its default, if it has one.
    """
    notes = [f"env: {variable(setting)}"]
    if default is not None:
        notes.append(f"default: {default}")
    return f"{text}  [{', '.join(notes)}]"


host = click.option(
    "--host", metavar="HOST", help=described("host", "address to listen on", "127.0.0.1")
)

port = click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help=described("port", "0 takes a free one", 8000),
)

auth = click.option(
    "--auth",
    type=click.Choice(["auto", "required", "off"]),
    metavar="WHEN",
    help=described("auth", "ask for keys: auto, required, off", "auto"),
)

insecure_no_auth = click.option(
    "--insecure-no-auth",
    is_flag=True,
    default=None,
    help=described("insecure_no_auth", "another spelling of --auth off"),
)

root_path = click.option(
    "--root-path",
    metavar="PATH",
    help=described("root_path", "prefix under which a proxy serves this, like /queue"),
)

handlers = click.option(
    "--handlers",
    multiple=True,
    callback=_joined,
    metavar="MODULES",
    help=described("handlers", "modules with handlers, by commas; may be repeated"),
)

log_format = click.option(
    "--log-format",
    type=click.Choice(["auto", "json", "console"], case_sensitive=False),
    metavar="FORMAT",
    help=described("log_format", "auto, json, console", "auto"),
)

access_log = click.option(
    "--access-log",
    is_flag=True,
    default=None,
    help=described("access_log", "log a line for each request"),
)

log_level = click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False),
    metavar="LEVEL",
    help=described("log_level", "log from here on: debug, info, warning, error, critical", "INFO"),
)

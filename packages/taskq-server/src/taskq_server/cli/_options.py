"""Options that several commands share. The settings in `core.config` supply the defaults."""

from collections.abc import Mapping
from pathlib import Path

import click

from taskq_server.core import environment
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

uds = click.option(
    "--uds",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=described("uds", "Unix socket to listen on, in place of host and port"),
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

queues = click.option(
    "--queue",
    "--queues",
    "queues",
    multiple=True,
    callback=_joined,
    metavar="NAME[=LIMIT]",
    help=described(
        "queues",
        "queues to listen to, by commas, and the most tasks of each at once; may be repeated",
        "default",
    ),
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


def require_one_address(given: Mapping[str, object]) -> None:
    """Refuse a Unix socket together with options for a port, because one is listened on.

    Args:
        given: the options; None stands for an option not given.

    Raises:
        UsageError: there are both.
    """
    uds = given["uds"] or environment.read(["uds"])
    if uds and (given["host"], given["port"]) != (None, None):
        raise click.UsageError(
            "a Unix socket (--uds, TASKQ_UDS) takes the place of --host and --port: leave one out",
            click.get_current_context(silent=True),
        )

"""What a command says at its start and its end.

At the start these are lines for people on a terminal, and one line of the log where that goes
elsewhere; at the end it is a line of the log.
"""

import contextlib
import logging
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic

import click

from taskq_server import __version__
from taskq_server.core import dialects, environment, urls
from taskq_server.core.config import Settings
from taskq_server.core.log_text import escaped_text

Facts = Mapping[str, "str | int | Sequence[str]"]

_UNKNOWN = "unknown: the database does not answer yet"
_MOST_NAMES = 40
_WIDEST = 100
_log = logging.getLogger("taskq.server")


def announce(what: str, facts: Facts, how_to_stop: str) -> None:
    """Say what this process runs, once.

    Args:
        what: one line.
        facts: by their names, which have one word each.
        how_to_stop: a sentence for people at a terminal.
    """
    is_seen = sys.stdout.isatty()
    if not (is_seen and sys.stderr.isatty()):
        _log.info("%s", what, extra=dict(facts))
    if not is_seen:
        return
    with contextlib.suppress(OSError):
        columns = shutil.get_terminal_size().columns
        colour = None if environment.allows_colour() else False
        click.echo(screen(what, facts, how_to_stop, columns), color=colour)


@contextlib.contextmanager
def told_at_the_end(what: str) -> Iterator[None]:
    """Log that what the block runs has ended, and after how long.

    Args:
        what: runs; the line begins with it.
    """
    began = monotonic()
    try:
        yield
    finally:
        seconds = monotonic() - began
        _log.info("%s has ended after %.0f s", what, seconds, extra={"seconds": round(seconds, 3)})


def screen(what: str, facts: Facts, how_to_stop: str, columns: int) -> str:
    """Return the lines for a terminal with so many columns."""
    width = min(columns, _WIDEST)
    label = max(map(len, facts))
    lines = [click.style(escaped_text(what), bold=True), ""]
    for name, value in facts.items():
        lines += textwrap.wrap(
            escaped_text(_text(name, value)),
            width,
            initial_indent=f"  {name:<{label}}  ",
            subsequent_indent=" " * (label + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join([*lines, "", *textwrap.wrap(how_to_stop, width), ""])


def of_api(settings: Settings, url: str, revision: str | None) -> Facts:
    """Return the facts about an API."""
    return {
        "version": __version__,
        **({} if settings.uds else pages(settings, url)),
        **_of_stores(settings, revision),
        "namespace": settings.namespace,
    }


def pages(settings: Settings, url: str) -> Mapping[str, str]:
    """Return the addresses that an API at `url` has for people."""
    dashboard = {"dashboard": f"{url}{settings.dashboard_path}"}
    return {**({} if settings.dashboard == "off" else dashboard), "docs": f"{url}/docs"}


def of_worker(settings: Settings, handlers: Sequence[str]) -> Facts:
    """Return the facts about a worker, besides those about where the tasks are."""
    return {
        "queues": [str(queue) for queue in settings.queues],
        "concurrency": settings.concurrency,
        "threads": settings.threads,
        "handlers": handlers,
    }


def of_lone_worker(settings: Settings, revision: str | None, handlers: Sequence[str]) -> Facts:
    """Return the facts about a process that is nothing but a worker."""
    return {
        "version": __version__,
        **_of_stores(settings, revision),
        "namespaces": settings.served_namespaces,
        **of_worker(settings, handlers),
    }


def how_to_drain(settings: Settings) -> str:
    """Return how to stop a process that runs tasks."""
    seconds = f"{settings.drain_seconds:g} s"
    return f"Press Ctrl-C to stop: running tasks get {seconds} to end, and none if pressed twice."


def _of_stores(settings: Settings, revision: str | None) -> Facts:
    redis = settings.redis_url
    return {
        "database": dialects.shown(settings.database_url.get_secret_value()),
        "revision": revision or _UNKNOWN,
        "redis": "embedded" if redis is None else urls.shown_redis(redis.get_secret_value()),
    }


def _text(name: str, value: "str | int | Sequence[str]") -> str:
    if isinstance(value, str | int):
        return str(value)
    names = ", ".join(value[:_MOST_NAMES])
    if len(value) > _MOST_NAMES:
        names += f" and {len(value) - _MOST_NAMES} more: `taskq-server handlers` lists them"
    if name != "handlers":
        return names
    return f"{len(value)}: {names}" if value else "none: name their modules with --handlers"

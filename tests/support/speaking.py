"""Handlers that write lines of the log, and one that fails, wherever handlers run."""

import logging

from taskq_server import Context, Fatal, State, handler, on_job_failure, on_startup
from taskq_server.handlers.registry import TaskEvent

_log = logging.getLogger("speaking")


@on_startup
def begin(_: State) -> None:
    """Let lines of any level through."""
    _log.setLevel(logging.DEBUG)


@handler("speaking.on_loop")
async def on_loop(word: str) -> None:
    """Speak on the event loop."""
    _log.info("said on the loop: %s", word)


@handler("speaking.in_thread")
def in_thread(word: str) -> None:
    """Speak in a thread."""
    _log.info("said in a thread: %s", word)


@handler("speaking.in_process", process=True)
def in_process(word: str) -> None:
    """Speak in another process."""
    _log.info("said in a process: %s", word)


@handler("speaking.parent")
async def parent(context: Context) -> str:
    """Submit a child that speaks."""
    return str(await context.submit("speaking.on_loop", {"word": "child"}))


@handler("speaking.failing", max_retries=1)
def failing(context: Context) -> None:
    """Fail twice."""
    if context.attempt == 1:
        raise ValueError("not yet\nFAKE line \x1b[2J")
    raise Fatal("never")


@on_job_failure
def mourn(event: TaskEvent) -> None:
    """Speak of what has failed."""
    _log.warning("a hook speaks of attempt %d", event.attempt)

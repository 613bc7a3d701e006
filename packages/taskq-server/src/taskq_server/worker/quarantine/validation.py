"""A process that validates payloads; the worker kills it if a payload takes too long."""

import logging
import resource
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from taskq_server.core.config import Settings
from taskq_server.core.processes import leave
from taskq_server.handlers.registry import Registry, load
from taskq_server.worker.attempts.executor import read_payload
from taskq_server.worker.attempts.failures import failed
from taskq_server.worker.attempts.result import Failed

_MORE_MEMORY = 1 << 30
_DATA_PAGES = 5
_log = logging.getLogger("taskq.server.worker")


@dataclass(frozen=True, slots=True)
class Question:
    """Worker: validate the payload of a task of this handler."""

    handler: str
    payload: str


Answer = dict[str, Any] | Failed | None
"""Process: the arguments of a call, a failure, or None if the arguments cannot be pickled."""


def main(connection: Connection, settings: Settings) -> NoReturn:
    """Validate payloads until the worker closes the connection.

    Args:
        connection: the connection to the worker.
        settings: the worker's settings.
    """
    registry = load(settings.handlers, builtin=settings.builtin_handlers)
    _limit_memory()
    with suppress(EOFError, OSError):
        connection.send(None)
        while True:
            question: Question = connection.recv()
            _send(connection, _answer(registry, question, settings.max_traceback_bytes))
    leave(0)


def _answer(registry: Registry, question: Question, traceback_bytes: int) -> Answer:
    handler = registry.handlers.get(question.handler)
    if handler is None:
        message = "the modules of the handlers have changed since the worker started"
        return Failed(failed("HandlerMissing", message))
    return read_payload(handler, question.payload, traceback_bytes)


def _send(connection: Connection, answer: Answer) -> None:
    try:
        connection.send(answer)
    except OSError:
        raise
    except Exception as error:  # raised by types that cannot be pickled
        _log.debug("what a payload has become cannot be sent: %s", error)
        connection.send(None)


def _limit_memory() -> None:
    """Limit the memory of this process, because a payload that fits no branch may take it all."""
    with suppress(OSError):  # only Linux has /proc/self/statm
        pages = int(Path("/proc/self/statm").read_text().split()[_DATA_PAGES])
        most = pages * resource.getpagesize() + _MORE_MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))

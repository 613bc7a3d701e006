"""The application as servers of others run it, which do not tell it the address."""

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.children import Child
from tests.support.processes import environment

COMMANDS = {
    "uvicorn": ("uvicorn", "taskq_server.main:create_app", "--factory", "--port={port}"),
    "gunicorn": (
        *("gunicorn", "taskq_server.main:create_app()", "--bind=127.0.0.1:{port}"),
        *("--worker-class=uvicorn.workers.UvicornWorker", "--no-control-socket"),
    ),
}
"""The words that run it on a port of this machine, by the server's name."""


def foreign_server(name: str, settings: Mapping[str, str], log: Path, port: int) -> Child:
    """Start one of these servers.

    Args:
        name: of the server.
        settings: TASKQ_ environment variables.
        log: the file for its output.
        port: to listen on.
    """
    words = [word.format(port=port) for word in COMMANDS[name]]
    argv = [sys.executable, "-m", *words]
    return Child(argv, log, env=environment(settings), cwd=log.parent)

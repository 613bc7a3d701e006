"""How a process that a worker must survive is started: forked from a server, a forkserver.

It is a server of our own. The one that `multiprocessing` keeps for all of a process belongs to
handlers: theirs ought to end at SIGTERM, and have in memory what they asked for.
"""

import io
import logging
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import forkserver, popen_forkserver, reduction, spawn, util
from multiprocessing.connection import Connection, Pipe
from multiprocessing.context import set_spawning_popen
from multiprocessing.process import BaseProcess

from taskq_server.core import logs
from taskq_server.core.config import Settings
from taskq_server.core.processes import STOP_SIGNALS, do_nothing, keep_from_forks
from taskq_server.worker.liveness.supervisor import end_with_parent

Main = Callable[[Connection, Settings], object]
"""What a process runs: with a connection to its worker, whose settings it has."""

_starting = threading.Lock()
_server = forkserver.ForkServer()
_server.set_forkserver_preload([f"{__package__}.preload"])


class _Popen(popen_forkserver.Popen):
    """Python's own, but for the server that it asks."""

    _fds: list[int]

    def _launch(self, process_obj: BaseProcess) -> None:
        start = spawn.get_preparation_data(process_obj.name)
        del start["start_method"]  # handlers may set it, but once
        words = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump(start, words)
            reduction.dump(process_obj, words)
        finally:
            set_spawning_popen(None)
        self.sentinel, writer = _server.connect_to_new_process(self._fds)
        self.finalizer = util.Finalize(self, _close, (os.dup(writer), self.sentinel))
        with open(writer, "wb") as pipe:
            pipe.write(words.getbuffer())
        self.pid = forkserver.read_signed(self.sentinel)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class IsolatedProcess(BaseProcess):
    """A process that runs one function."""

    _start_method = None  # that of its own processes is for handlers to choose
    _Popen = _Popen

    def terminate(self) -> None:
        """End it at once: it does nothing at SIGTERM."""
        self.kill()


def _begin(main: Main, connection: Connection, settings: Settings, log_level: int) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, do_nothing)  # the worker drains, and tells us
    end_with_parent()
    keep_from_forks(connection)
    logs.configure(log_level)
    main(connection, settings)


def start(main: Main, settings: Settings) -> tuple[BaseProcess, Connection]:
    """Start a process, and return it with the worker's end of the connection; this blocks.

    Args:
        main: what it runs.
        settings: the worker's.
    """
    with _starting:
        ours, theirs = Pipe()
        keep_from_forks(ours, theirs)
        level = logging.getLogger().getEffectiveLevel()
        process = IsolatedProcess(target=_begin, args=(main, theirs, settings, level))
        process.start()
        theirs.close()
        return process, ours

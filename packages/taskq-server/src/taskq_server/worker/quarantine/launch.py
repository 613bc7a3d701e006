"""Start quarantine processes, by forking them from a server (a forkserver).

The server is taskq's own. The forkserver of `multiprocessing` belongs to handlers, because it ought
to end at SIGTERM, and to preload the modules that handlers choose.
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
"""The main function of a process; it gets a connection to the worker and the worker's settings."""

_starting = threading.Lock()
_server = forkserver.ForkServer()
_server.set_forkserver_preload([f"{__package__}.preload"])


class _Popen(popen_forkserver.Popen):
    """Python's own class, but with taskq's forkserver."""

    _fds: list[int]

    def _launch(self, process_obj: BaseProcess) -> None:
        start = spawn.get_preparation_data(process_obj.name)
        del start["start_method"]  # it can be set only once, and handlers may want to
        data = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump(start, data)
            reduction.dump(process_obj, data)
        finally:
            set_spawning_popen(None)
        self.sentinel, writer = _server.connect_to_new_process(self._fds)
        self.finalizer = util.Finalize(self, _close, (os.dup(writer), self.sentinel))
        with open(writer, "wb") as pipe:
            pipe.write(data.getbuffer())
        self.pid = forkserver.read_signed(self.sentinel)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class IsolatedProcess(BaseProcess):
    """A process that runs one function."""

    _start_method = None  # handlers may choose the start method of their own processes
    _Popen = _Popen

    def terminate(self) -> None:
        """Kill the process, because it ignores SIGTERM."""
        self.kill()


def _begin(main: Main, connection: Connection, settings: Settings, log_level: int) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, do_nothing)  # the worker drains, and sends `Shutdown`
    end_with_parent()
    _let_server_end()
    keep_from_forks(connection)
    logs.configure(log_level, settings.log_format)
    main(connection, settings)


def _let_server_end() -> None:
    """Close what keeps the server alive, and with it a process that cannot run any thread.

    The server ends when nobody has that pipe open any more, so only the worker may have it.
    """
    inherited = forkserver._forkserver
    if (pipe := getattr(inherited, "_forkserver_alive_fd", None)) is not None:
        os.close(pipe)
        inherited._forkserver_alive_fd = None  # type: ignore[attr-defined]  # handlers have their own


def start(main: Main, settings: Settings) -> tuple[BaseProcess, Connection]:
    """Start a process, and return it with the worker's end of the connection; this blocks.

    Args:
        main: the main function of the process.
        settings: the worker's settings.
    """
    with _starting:
        ours, theirs = Pipe()
        keep_from_forks(ours, theirs)
        level = logging.getLogger().getEffectiveLevel()
        process = IsolatedProcess(target=_begin, args=(main, theirs, settings, level))
        process.start()
        theirs.close()
        return process, ours

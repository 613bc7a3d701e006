"""The parent of a worker process: starts it again when it dies, and never outlives or loses it.

A poison task, a crash in C code or a blocked event loop ends the process that runs tasks; the
parent, which runs nothing, starts a new one. A pipe ties the two together: the parent writes to it
a few times a second. A worker that finds it closed has no parent any more and ends at once; one
that hears nothing (the parent is frozen) lets its lease run out.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

PIPE_VARIABLE = "TASKQ_SUPERVISOR_PIPE"
EXIT_CONFIGURATION = 78
"""The worker cannot start as it is configured: starting it again would not help."""

EXIT_RECYCLE = 75
"""The worker wants to be replaced by a new process."""

EXIT_BLOCKED = 70
"""The event loop of the process stood still."""

_GOOD_ENDS = (0, EXIT_RECYCLE, -signal.SIGTERM, -signal.SIGINT)
_PING_SECONDS = 0.2
_HEALTHY_SECONDS = 5.0
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_log = logging.getLogger("taskq.server.supervisor")


class Supervisor:
    """Keep one worker process running until this process is told to stop."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def run(self) -> int:
        """Run this very command again as a child, as often as it takes; return an exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        pause = _SHORTEST_PAUSE
        while True:
            started = time.monotonic()
            status = self._run_once()
            if status == EXIT_CONFIGURATION:
                return 1
            if status == 0 or self._stopping.is_set():
                return 0 if status in _GOOD_ENDS else 1
            _log.warning("the worker process ended with status %d and starts again", status)
            pause = min(_LONGEST_PAUSE, pause * 2)
            if time.monotonic() - started > _HEALTHY_SECONDS:
                pause = _SHORTEST_PAUSE
            if self._stopping.wait(pause):
                return 0

    def _run_once(self) -> int:
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        self._child = child = subprocess.Popen(
            [sys.executable, "-m", "taskq_server", *sys.argv[1:]],
            env={**os.environ, PIPE_VARIABLE: str(read_end)},
            pass_fds=[read_end],
        )
        os.close(read_end)
        try:
            if self._stopping.is_set():
                child.terminate()
            while True:
                _ping(write_end)
                try:
                    return child.wait(_PING_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            os.close(write_end)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()
        if self._child is not None:
            self._child.terminate()


class Parent:
    """The worker's side of the pipe; without a supervisor, the parent always counts as alive."""

    def __init__(self) -> None:
        self._heard = time.monotonic()
        descriptor = os.environ.pop(PIPE_VARIABLE, None)
        self.exists = descriptor is not None
        if descriptor is not None:
            listener = threading.Thread(
                target=self._listen, args=(int(descriptor),), name="taskq-parent", daemon=True
            )
            listener.start()

    def is_alive(self, within: float) -> bool:
        """Return whether the parent has been heard within these seconds."""
        return not self.exists or time.monotonic() - self._heard < within

    def _listen(self, descriptor: int) -> None:
        while os.read(descriptor, 4096):
            self._heard = time.monotonic()
        os._exit(1)


def _ping(descriptor: int) -> None:
    try:
        os.write(descriptor, b".")
    except (BlockingIOError, BrokenPipeError):
        return

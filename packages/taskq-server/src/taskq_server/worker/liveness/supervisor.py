"""The parent of a worker process: starts it again when it dies, and never outlives or loses it.

A poison task, a crash in C code or a blocked event loop ends the process that runs tasks; the
parent, which runs nothing, starts a new one. Two pipes tie the two together. To one, the parent
writes a few times a second how often it was told to end. It sends no signals, because a terminal
and a service manager send them to both, and a second one has a meaning of its own. A worker that
finds the pipe closed has no parent any more and ends at once; one that hears nothing (the parent is
frozen) lets its lease run out. To the other, the worker writes for how long it may be silent. One
that is silent for longer cannot run any thread, as when a handler holds the GIL, so the parent
kills it.

Handlers can end the worker with any exit status, so none means anything to the parent: it starts
another worker until it is told to stop. One that cannot start as it is configured says so over the
pipe, and is believed as long as it has said nothing else: it has claimed nothing yet. The parent
then ends with EX_CONFIG, so that nobody starts it again either.
"""

import contextlib
import io
import logging
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from taskq_server.core.processes import heed, keep_from_forks

PIPES_VARIABLE = "TASKQ_SUPERVISOR_PIPES"
EXIT_RECYCLE = 75
"""The worker wants to be replaced by a new process."""

EXIT_BLOCKED = 70
"""The event loop of the process stood still."""

_GOOD_ENDS = (0, EXIT_RECYCLE, -signal.SIGTERM, -signal.SIGINT)
_REFUSAL = b"cannot-start"
_PING_SECONDS = 0.2
_UNHEARD_SECONDS = 30.0
_ENDING_SECONDS = 0.01
_PIPE_BYTES = 65_536
_HEALTHY_SECONDS = 5.0
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_log = logging.getLogger("taskq.server.supervisor")


class Supervisor:
    """Keep one worker process running until this process is told to stop."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._told = 0

    def run(self) -> int:
        """Run this very command again as a child, as often as it takes; return an exit status."""
        heed(self._stop)
        pause = _SHORTEST_PAUSE
        while True:
            started = time.monotonic()
            status, refused = self._run_once()
            if refused:
                return os.EX_CONFIG
            if self._stopping.is_set():
                return 0 if status in _GOOD_ENDS else 1
            _log.warning("the worker process ended with status %d and starts again", status)
            pause = min(_LONGEST_PAUSE, pause * 2)
            if time.monotonic() - started > _HEALTHY_SECONDS:
                pause = _SHORTEST_PAUSE
            if self._stopping.wait(pause):
                return 0

    def _run_once(self) -> tuple[int, bool]:
        ear, pings = os.pipe()
        words, mouth = os.pipe()
        for descriptor in (pings, words, mouth):
            os.set_blocking(descriptor, False)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "taskq_server", *sys.argv[1:]],
            env={**os.environ, PIPES_VARIABLE: f"{ear} {mouth}"},
            pass_fds=[ear, mouth],
        )
        os.close(ear)
        os.close(mouth)
        try:
            watchdog = ChildWatchdog(words)
            status = self._watch(child, pings, watchdog)
            return status, watchdog.refuses()
        finally:
            os.close(pings)
            os.close(words)

    def _watch(self, child: subprocess.Popen[bytes], pings: int, watchdog: "ChildWatchdog") -> int:
        """Return the child's exit status, once it has ended or had to be killed."""
        while not watchdog.is_overdue(stopping=self._stopping.is_set()):
            _write(pings, b"%d" % self._told)
            watchdog.wait(_PING_SECONDS)
            status = child.poll()
            if status is not None:
                return status
        _log.critical("the worker process gives no sign of life: it is killed")
        child.kill()
        return child.wait()

    def _stop(self, times: int) -> None:
        self._told = min(times, 9)
        self._stopping.set()


class ChildWatchdog:
    """What the supervisor hears of its child: each time, for how long it may be silent now.

    Silence is counted in rounds of the supervisor, not by the clock: where both were frozen, the
    child is as healthy as before.

    Args:
        descriptor: the pipe that the child writes to.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ended = False
        self._refuses = False
        self._works = False
        self._rounds = 0
        self._allowed = math.inf

    def is_overdue(self, *, stopping: bool) -> bool:
        """Listen, once a round, and return whether the child has been silent for too long.

        Args:
            stopping: the child was told to end; if it has said nothing yet, it has nothing to
                finish.
        """
        self._rounds += 1
        self._listen()
        if stopping and self._allowed == math.inf:
            self._rounds, self._allowed = 0, _UNHEARD_SECONDS
        return self._rounds * _PING_SECONDS > self._allowed

    def refuses(self) -> bool:
        """Listen, and return whether the child said, before anything else, that it cannot start."""
        self._listen()
        return self._refuses

    def wait(self, seconds: float) -> None:
        """Return when there is something to hear, or the child has ended, or the time is up."""
        if self._ended:
            time.sleep(_ENDING_SECONDS)
        else:
            select.select([self._descriptor], [], [], seconds)

    def _listen(self) -> None:
        for word in self._hear():
            if word == _REFUSAL:
                self._refuses = not self._works
                continue
            with contextlib.suppress(ValueError):
                self._rounds, self._allowed = 0, float(word)
            self._works = True

    def _hear(self) -> list[bytes]:
        # A pipe takes short words whole, and a pipeful holds whole words.
        try:
            heard = os.read(self._descriptor, _PIPE_BYTES)
        except BlockingIOError:
            return []
        self._ended = not heard
        return heard.split()


class SupervisorLink:
    """The worker's side of the pipes; without a supervisor, the parent always counts as alive."""

    def __init__(self) -> None:
        self._heard = time.monotonic()
        self._told = 0
        self._tell: Callable[[int], None] | None = None
        self._mouth: io.FileIO | None = None
        descriptors = os.environ.pop(PIPES_VARIABLE, None)
        self.exists = descriptors is not None
        if descriptors is not None:
            end_with_parent()
            ear, mouth = map(int, descriptors.split())
            for descriptor in (ear, mouth):
                os.set_inheritable(descriptor, False)
            ears, self._mouth = io.FileIO(ear), io.FileIO(mouth, "w")
            keep_from_forks(ears, self._mouth)
            listener = threading.Thread(
                target=self._listen, args=(ears,), name="taskq-parent", daemon=True
            )
            listener.start()

    def listen(self, tell: Callable[[int], None]) -> None:
        """Have a function called, in a thread, with how often the parent was told to end."""
        self._tell = tell

    def tell_alive(self, silence: float) -> None:
        """Tell the parent that this process runs, and to kill it after so many silent seconds."""
        self._say(b"%.1f" % silence)

    def refuse(self) -> None:
        """Tell the parent not to start this process again: it cannot start as configured."""
        self._say(_REFUSAL)

    def is_alive(self, within: float) -> bool:
        """Return whether the parent has been heard within these seconds."""
        return not self.exists or time.monotonic() - self._heard < within

    def _say(self, word: bytes) -> None:
        if self._mouth is not None:
            _write(self._mouth.fileno(), word + b"\n")

    def _listen(self, ear: io.FileIO) -> None:
        while heard := ear.read(_PIPE_BYTES):
            self._heard = time.monotonic()
            times = int(chr(max(heard)))
            if self._tell is not None and times > self._told:
                self._told = times
                self._tell(times)
        os._exit(1)


def end_with_parent() -> None:
    """Have the kernel kill this process with its parent, although none of its threads may run.

    Only Linux can do this (PR_SET_PDEATHSIG is 1); elsewhere a thread has to notice the end.
    """
    if sys.platform == "linux":
        import ctypes  # here, since the supervisor does without

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def _write(descriptor: int, words: bytes) -> None:
    try:
        os.write(descriptor, words)
    except (BlockingIOError, BrokenPipeError):
        return

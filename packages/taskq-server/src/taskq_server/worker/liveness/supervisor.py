"""The parent of a worker process: it starts the worker again when it dies, and both end together.

A poison task, a crash in C code or a blocked event loop ends the process that runs tasks; the
parent, which runs nothing, starts a new one. Two pipes connect the two.

* The parent writes to one pipe a few times a second how often it was told to end. It sends no
  signals, because a terminal and a service manager send them to both processes, and a second
  signal has a meaning of its own. A worker that finds this pipe closed has lost its parent and
  ends at once. A worker that reads nothing for a while, because the parent is frozen, lets its
  lease run out.
* The worker writes to the other pipe for how long it may be silent. A worker that is silent for
  longer cannot run any thread, as when a handler holds the GIL, so the parent kills it.

The parent draws no conclusion from an exit status, because handlers can end the worker with any of
them: it starts another worker until it is told to stop. A worker that cannot start as it is
configured says so over the pipe, and the parent believes it as long as it has written nothing else,
because it has claimed nothing yet. The parent then ends with EX_CONFIG, so that a service manager
does not start it again either.
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
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from taskq_server.core.processes import STOP_SIGNALS, heed, keep_from_forks
from taskq_server.core.service_manager import ServiceManager

PIPES_VARIABLE = "TASKQ_SUPERVISOR_PIPES"
EXIT_RECYCLE = 75
"""The worker wants to be replaced by a new process."""

EXIT_BLOCKED = 70
"""The event loop of the process stood still."""

_GOOD_ENDS = (0, EXIT_RECYCLE, -signal.SIGTERM, -signal.SIGINT)
_REFUSAL = b"cannot-start"
_READY = b"ready"
_PING_SECONDS = 0.2
# A child that has written nothing yet is still starting, and gets this long to end.
_UNHEARD_SECONDS = 30.0
# A child closes its pipe a moment before its exit status is there.
_ENDING_SECONDS = 0.01
_PIPE_BYTES = 65_536
_HEALTHY_SECONDS = 5.0
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_log = logging.getLogger("taskq.server.supervisor")


class Supervisor:
    """Keep one worker process running until this process is told to stop.

    Args:
        variables: environment variables for the worker, besides those of this process.
        is_first: whether no worker has run before; a later one does not repeat what the first said.
        on_ready: called in the thread of `keep` whenever a worker takes tasks.
            The service manager hears it if nobody else does.
        manager: the service manager of this process, which hears that this process lives and ends.
    """

    def __init__(
        self,
        variables: Mapping[str, str] | None = None,
        *,
        is_first: bool = True,
        on_ready: Callable[[], None] | None = None,
        manager: ServiceManager | None = None,
    ) -> None:
        self._variables = variables or {}
        self._is_first = is_first
        self._manager = manager or ServiceManager()
        self._on_ready = on_ready or self._manager.ready
        self._stopping = threading.Event()
        self._told = 0

    def run(self) -> int:
        """Run this very command again as a child, as often as it takes; return an exit status."""
        heed(self.tell)
        return self.keep()

    def keep(self, *, stubborn: bool = True) -> int:
        """Do as `run` does, but leave the signals of this process alone.

        Args:
            stubborn: start a worker again that ended before it could work.
        """
        pause = _SHORTEST_PAUSE
        while True:
            started = time.monotonic()
            end = self._run_once()
            self._is_first = False
            if end.refused:
                return os.EX_CONFIG
            if self._stopping.is_set():
                return 0 if end.status in _GOOD_ENDS else 1
            if not (stubborn or end.worked):
                return 1
            _log.warning("the worker process ended with status %d and starts again", end.status)
            pause = min(_LONGEST_PAUSE, pause * 2)
            if time.monotonic() - started > _HEALTHY_SECONDS:
                pause = _SHORTEST_PAUSE
            if self._is_told_within(pause):
                return 0

    def tell(self, times: int) -> None:
        """Note how often this process was told to end; safe from any thread."""
        self._told = min(times, 9)  # one digit, so that the child can read any part of a pipeful
        self._stopping.set()

    def _is_told_within(self, seconds: float) -> bool:
        """Return whether this process is told to end in so many seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._manager.alive()
            if self._stopping.wait(min(left, _PING_SECONDS)):
                return True
        return False

    def _run_once(self) -> "_End":
        child_reads, parent_writes = os.pipe()
        parent_reads, child_writes = os.pipe()
        # The other process may be frozen with a full pipe, and neither may wait for the other.
        for descriptor in (parent_writes, parent_reads, child_writes):
            os.set_blocking(descriptor, False)
        with _held_signals():
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "taskq_server", *sys.argv[1:]],
                env={
                    **os.environ,
                    **self._variables,
                    PIPES_VARIABLE: f"{child_reads} {child_writes} {self._is_first:d}",
                },
                pass_fds=[child_reads, child_writes],
            )
        # With copies of the child's ends, this process would not notice that the child closes them.
        os.close(child_reads)
        os.close(child_writes)
        try:
            watchdog = ChildWatchdog(parent_reads, self._on_ready)
            status = self._watch(child, parent_writes, watchdog)
            return _End(status, watchdog.refuses(), watchdog.works)
        finally:
            os.close(parent_writes)
            os.close(parent_reads)

    def _watch(self, child: subprocess.Popen[bytes], pipe: int, watchdog: "ChildWatchdog") -> int:
        """Return the child's exit status, once it has ended or had to be killed."""
        while not watchdog.is_overdue(stopping=self._stopping.is_set()):
            _write(pipe, b"%d" % self._told)
            self._manager.alive()
            if self._stopping.is_set():
                self._manager.stopping()
            watchdog.wait(_PING_SECONDS)
            status = child.poll()
            if status is not None:
                return status
        # SIGKILL, because a process that runs no thread handles no other signal.
        _log.critical("the worker process gives no sign of life: it is killed")
        child.kill()
        return child.wait()


class _End(NamedTuple):
    """The end of a child: its exit status, whether it refused to start, whether it ever worked."""

    status: int
    refused: bool
    worked: bool


class ChildWatchdog:
    """The watchdog of a child, which announces for how long it may be silent from now on.

    A longer silence means that the child is stuck. Silence is counted in rounds of the supervisor,
    not by the clock, because a machine that was suspended froze both of them.

    Args:
        descriptor: the pipe that the child writes to.
        on_ready: called when the child takes tasks.

    Attributes:
        works: whether the child has written anything but that it cannot start.
    """

    def __init__(self, descriptor: int, on_ready: Callable[[], None] | None = None) -> None:
        self._descriptor = descriptor
        self._on_ready = on_ready
        self._ended = False
        self._refuses = False
        self.works = False
        self._rounds = 0
        self._allowed = math.inf

    def is_overdue(self, *, stopping: bool) -> bool:
        """Read, once a round, and return whether the child has been silent for too long.

        Args:
            stopping: whether the child was told to end; a child that has written nothing yet has
                nothing to finish, so it gets a limit of its own.
        """
        self._rounds += 1
        self._read()
        if stopping and self._allowed == math.inf:
            self._rounds, self._allowed = 0, _UNHEARD_SECONDS
        return self._rounds * _PING_SECONDS > self._allowed

    def refuses(self) -> bool:
        """Read, and return whether the child wrote before anything else that it cannot start."""
        self._read()
        return self._refuses

    def wait(self, seconds: float) -> None:
        """Return when there is something to read, or the child has ended, or the time is up."""
        if self._ended:
            time.sleep(_ENDING_SECONDS)
        else:
            select.select([self._descriptor], [], [], seconds)

    def _read(self) -> None:
        for word in self._words():
            if word == _REFUSAL:
                # Handlers run in the same process, so later on the word may be theirs.
                self._refuses = not self.works
                continue
            if word == _READY and self._on_ready is not None:
                self._on_ready()
            with contextlib.suppress(ValueError):
                self._rounds, self._allowed = 0, float(word)
            self.works = True

    def _words(self) -> list[bytes]:
        # A pipe takes short words whole, and a pipeful holds whole words.
        try:
            data = os.read(self._descriptor, _PIPE_BYTES)
        except BlockingIOError:
            return []
        self._ended = not data
        return data.split()


class SupervisorLink:
    """The worker's side of the pipes; without a supervisor, the parent always counts as alive.

    Args:
        manager: the service manager or the like that starts this process again where there is no
            supervisor; None if nobody does.

    Attributes:
        exists: whether there is a supervisor.
        replaces: whether somebody starts this process again when it ends.
        is_first: whether no worker has run before this one, so that it says what it runs.
    """

    def __init__(self, manager: ServiceManager | None = None) -> None:
        self._read_at = time.monotonic()
        self._told = 0
        self._tell: Callable[[int], None] | None = None
        self._pipe: io.FileIO | None = None
        descriptors = os.environ.pop(PIPES_VARIABLE, None)
        self.exists = descriptors is not None
        self.replaces = self.exists or manager is not None
        self._manager = manager or ServiceManager()
        self.is_first = True
        if descriptors is not None:
            end_with_parent()
            reads, writes, first = map(int, descriptors.split())
            self.is_first = bool(first)
            # A process that a handler starts must not hold the pipes open when this one has ended.
            for descriptor in (reads, writes):
                os.set_inheritable(descriptor, False)
            parent, self._pipe = io.FileIO(reads), io.FileIO(writes, "w")
            keep_from_forks(parent, self._pipe)
            # In a thread, because a blocked event loop must not outlive the parent.
            reader = threading.Thread(
                target=self._read_for_ever, args=(parent,), name="taskq-parent", daemon=True
            )
            reader.start()

    def listen(self, tell: Callable[[int], None]) -> None:
        """Have a function called, in a thread, with how often the parent was told to end."""
        self._tell = tell

    def tell_alive(self, silence: float) -> None:
        """Tell the parent that this process runs, and to kill it after so many silent seconds."""
        self._say(b"%.1f" % silence)
        self._manager.alive()

    def tell_ready(self) -> None:
        """Tell the parent that this process takes tasks from now on."""
        self._say(_READY)
        self._manager.ready()

    def tell_stopping(self) -> None:
        """Tell a service manager that this process was told to end; a supervisor has told it."""
        self._manager.stopping()

    def refuse(self) -> None:
        """Tell the parent not to start this process again: it cannot start as configured."""
        self._say(_REFUSAL)

    def is_alive(self, within: float) -> bool:
        """Return whether the parent has written within these seconds."""
        return not self.exists or time.monotonic() - self._read_at < within

    def _say(self, word: bytes) -> None:
        if self._pipe is not None:
            _write(self._pipe.fileno(), word + b"\n")

    def _read_for_ever(self, parent: io.FileIO) -> None:
        while digits := parent.read(_PIPE_BYTES):
            self._read_at = time.monotonic()
            times = int(chr(max(digits)))
            if self._tell is not None and times > self._told:
                self._told = times
                self._tell(times)
        os._exit(1)  # the parent has closed its end, so it is gone


@contextlib.contextmanager
def _held_signals() -> Iterator[None]:
    """Hold signals back, also in a child that starts meanwhile, until it heeds them.

    Python would end the child with a traceback if a terminal's Ctrl-C came before that.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Have the kernel kill this process with its parent, although none of its threads may run.

    Only Linux can do this (PR_SET_PDEATHSIG is 1); elsewhere a thread has to notice the end.
    """
    if sys.platform == "linux":
        import ctypes  # here, since the supervisor does without

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def _write(descriptor: int, words: bytes) -> None:
    # A full pipe says as much as another word in it, and the reader's end is noticed elsewhere.
    try:
        os.write(descriptor, words)
    except (BlockingIOError, BrokenPipeError):
        return

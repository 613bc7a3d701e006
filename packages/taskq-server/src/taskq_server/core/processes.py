"""The processes that handlers start: what they do not get of ours, and how they end with us.

A fork begins with everything that its parent has: what it does about signals, the descriptor that
tells the event loop of them, locks, sockets. So SIGTERM to a fork would stop its parent, and not
the fork; and a fork that is left over would hold what the next process needs.
"""

import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import NoReturn, Protocol
from weakref import WeakSet

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What a process is told to end with."""

_GRACE_SECONDS = 1.0


class Open(Protocol):
    """A file, a socket, a connection."""

    def fileno(self) -> int:
        """Return its descriptor."""


class _Forks:
    """What becomes of the forks of this process; `is_one` says whether this is one of them."""

    def __init__(self) -> None:
        self.is_one = False
        self.kept_from: WeakSet[Open] = WeakSet()
        self._hooked = False
        self._masks = threading.local()

    def hook(self) -> None:
        if not self._hooked:
            self._hooked = True
            os.register_at_fork(
                before=self._hold_signals,
                after_in_parent=self._release_signals,
                after_in_child=self._begin,
            )

    def _hold_signals(self) -> None:
        # Until it has begun, a fork would hear a signal as its parent does.
        self._masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)

    def _release_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.before)

    def _begin(self) -> None:
        if not self.is_one:  # what a fork has made of itself, its own forks inherit
            self.is_one = True
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
                signal.signal(signal.SIGHUP, signal.SIG_DFL)
            # libuv's handler of this one is none that Python knows of.
            signal.signal(signal.SIGCHLD, signal.getsignal(signal.SIGCHLD) or signal.SIG_DFL)
            self._let_go()
        self._release_signals()

    def _let_go(self) -> None:
        # Not closed: their owners do not know, and their numbers would be given to others.
        nothing = os.open(os.devnull, os.O_RDWR)
        for thing in list(self.kept_from):
            with contextlib.suppress(OSError, ValueError):  # it is closed
                os.dup2(nothing, thing.fileno(), inheritable=False)
        os.close(nothing)


_forks = _Forks()


def heed(tell: Callable[[int], None]) -> None:
    """Hear the signals that tell this process to end, instead of ending at once.

    SIGHUP, which a terminal that closes may send again and again, only counts as the first one.
    Where it was ignored when the process started, as under `nohup`, it stays ignored.

    Args:
        tell: called at each signal, with how often the process has been told by now.
    """
    counted = 0

    def hear(number: int, _: FrameType | None) -> None:
        nonlocal counted
        counted += number != signal.SIGHUP
        tell(max(1, counted))

    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hear)


def do_nothing(number: int, frame: FrameType | None) -> None:
    """Handle a signal that is no business of this process.

    Programs that it starts do not ignore the signal, as they would after SIG_IGN.
    """


def keep_from_forks(*things: Open) -> None:
    """Let forks of this process have none of these things, and hear signals as any program does.

    Args:
        things: a fork finds nothing in their place. Programs do not get them either, as long as
            they are not inheritable.
    """
    _forks.kept_from.update(things)
    _forks.hook()


class ForksEnd:
    """A block that only the process that entered it leaves: a fork of it ends there.

    As at the end of a program, an exception that is no exit is shown.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Go on, or end a fork."""
        if _forks.is_one:
            _end_fork(error)


def _end_fork(error: BaseException | None) -> NoReturn:
    status = 0
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        status = error.code or 0
    elif error is not None:
        traceback.print_exception(error)
        status = 1
    _flush()
    os._exit(status & 0xFF)


def leave(status: int) -> NoReturn:
    """End the process and what `multiprocessing` started in it, although threads may still run."""
    end_children()
    logging.shutdown()
    _flush()
    os._exit(status)


def end_children() -> None:
    """Do what the end of a Python program does for processes that it started; in a few seconds.

    Pools and managers end, daemons are terminated, and functions registered with `atexit` run.
    What does not end, or waits for what does not, is told to with SIGTERM and then SIGKILL.
    """
    ending = threading.Thread(target=_end_as_programs_do, name="taskq-end", daemon=True)
    with _undisturbed():
        ending.start()
        for kill in (False, True):
            ending.join(_GRACE_SECONDS)
            _tell_children(kill=kill)
        ending.join(_GRACE_SECONDS)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    before = {}  # of the main thread only: no other may say what signals do
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, do_nothing) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_as_programs_do() -> None:
    if "concurrent.futures.process" in sys.modules:
        sys.modules["concurrent.futures.process"]._python_exit()
    atexit._run_exitfuncs()


def _tell_children(*, kill: bool) -> None:
    if "multiprocessing" not in sys.modules:
        return  # the supervisor does without
    from multiprocessing import active_children

    for child in active_children():
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            child.kill() if kill else child.terminate()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it has gone
            stream.flush()

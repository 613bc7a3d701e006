"""Child processes of handlers: keep our signals and sockets from them, and end them with us.

A fork inherits its parent's signal handlers, the descriptor that reports signals to the event loop,
locks, and sockets. So SIGTERM to a fork would stop the parent and not the fork, and a fork that
outlives its parent would hold the locks and sockets that the next process needs.
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
"""The signals that tell a process to end."""

_GRACE_SECONDS = 1.0


class Open(Protocol):
    """A file, a socket, a connection."""

    def fileno(self) -> int:
        """Return the descriptor."""


class _Forks:
    """Set up the forks of this process; `is_one` is true in a fork."""

    def __init__(self) -> None:
        self.is_one = False
        self.kept_from: WeakSet[Open] = WeakSet()
        self._is_registered = False
        self._masks = threading.local()

    def register(self) -> None:
        if not self._is_registered:
            self._is_registered = True
            os.register_at_fork(
                before=self._hold_signals,
                after_in_parent=self._release_signals,
                after_in_child=self._begin,
            )

    def _hold_signals(self) -> None:
        # Until `_begin` has run, a fork would handle a signal as its parent does.
        self._masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)

    def _release_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.before)

    def _begin(self) -> None:
        if not self.is_one:  # forks of a fork inherit its handlers, which it may have changed
            self.is_one = True
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
                signal.signal(signal.SIGHUP, signal.SIG_DFL)
            # Python does not know libuv's handler of SIGCHLD, and returns None for it.
            signal.signal(signal.SIGCHLD, signal.getsignal(signal.SIGCHLD) or signal.SIG_DFL)
            self._let_go()
        self._release_signals()

    def _let_go(self) -> None:
        # Closing would free the descriptors' numbers for other files, without their owners knowing.
        nothing = os.open(os.devnull, os.O_RDWR)
        for thing in list(self.kept_from):
            with contextlib.suppress(OSError, ValueError):  # already closed
                os.dup2(nothing, thing.fileno(), inheritable=False)
        os.close(nothing)


_forks = _Forks()


def heed(tell: Callable[[int], None]) -> None:
    """Handle the signals that tell this process to end, instead of ending at once.

    A closing terminal may send SIGHUP again and again, so SIGHUP only counts as the first signal.
    If SIGHUP was ignored when the process started, as under `nohup`, it stays ignored.

    Args:
        tell: called at each signal with the number of signals by now.
    """
    counted = 0

    def count(number: int, _: FrameType | None) -> None:
        nonlocal counted
        counted += number != signal.SIGHUP
        tell(max(1, counted))

    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, count)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # a parent may have held them back


def do_nothing(number: int, frame: FrameType | None) -> None:
    """Ignore a signal in this process only.

    SIG_IGN would be inherited by the programs that this process starts.
    """


def keep_from_forks(*things: Open) -> None:
    """Keep these descriptors from forks, and reset the signal handlers of forks to the defaults.

    Args:
        things: in a fork their descriptors lead to /dev/null. Other programs do not get them
            either, as long as they are not inheritable.
    """
    _forks.kept_from.update(things)
    _forks.register()


class ForksEnd:
    """A block at whose end every fork exits; only the process that entered the block goes on.

    A fork prints its exception, unless that is an exit, as at the end of a program.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Go on in the process that entered, and exit in a fork."""
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
    """End the process and its `multiprocessing` children, without waiting for threads."""
    end_children()
    logging.shutdown()
    _flush()
    os._exit(status)


def end_children() -> None:
    """End child processes as the end of a Python program does, within a few seconds.

    Pools and managers end, daemons are terminated, and functions registered with `atexit` run.
    Children that do not end get SIGTERM and then SIGKILL.
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
    before = {}  # stays empty in other threads, because only the main thread may set handlers
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
        return  # do not import it: the supervisor stays small
    from multiprocessing import active_children

    for child in active_children():
        with contextlib.suppress(OSError, ValueError):  # the child has just ended
            child.kill() if kill else child.terminate()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the reader of the stream is gone
            stream.flush()

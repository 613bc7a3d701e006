"""Child processes that write to a file and never outlive the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

# Listens to Ctrl-C again, which a shell's background jobs are started without, asks the kernel to
# end this process with its parent (PR_SET_PDEATHSIG is 1), looks whether the parent has just ended,
# and becomes the program. Not a preexec_fn: pytest may have threads.
_TRAMPOLINE = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


class Child:
    """A running program.

    On Linux the kernel ends it when the thread that started it ends, so start children from the
    main thread. It has a session of its own: Ctrl-C reaches pytest only, and fixtures clean up.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.argv = [str(word) for word in argv]
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [*_tied_to_parent(), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit status, negative for a signal, None while it runs."""
        return self._popen.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, for example SIGSTOP; nothing happens if the process has ended."""
        self._popen.send_signal(number)

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would."""
        self._popen.kill()
        self._popen.wait(timeout=180)

    def wait(self, timeout: float = 180) -> int:
        """Wait until it ends by itself and return its exit status.

        Raises:
            TimeoutError: It did not in time and was killed; the message has its output.
        """
        try:
            return self._popen.wait(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            self.kill()
            message = f"{self.argv[0]} did not end within {timeout:g} s\n{self.output()}"
            raise TimeoutError(message) from error

    def ask_to_stop(self) -> None:
        """Ask it to end with SIGTERM."""
        self._popen.terminate()
        self._popen.send_signal(signal.SIGCONT)  # a stopped process would not notice

    def stop(self, timeout: float = 180) -> int:
        """Ask it to end with SIGTERM, insist with SIGKILL, and return its exit status."""
        self.ask_to_stop()
        try:
            return self._popen.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait(timeout=180)

    def output(self, limit: int = 20_000) -> str:
        """The last characters of what it wrote to its log file."""
        return tail(self.log, limit)


def stop_all(children: Sequence[Child], timeout: float = 180) -> None:
    """Ask all of them to end, and kill whoever is there when the time is up for all."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + timeout
    with ExitStack() as each:  # also if one of them cannot be ended
        for child in children:
            each.callback(lambda one: one.stop(max(0.0, deadline - time.monotonic())), child)


def tail(log: Path, limit: int = 20_000) -> str:
    """The last characters of a log file, empty if there is none."""
    if not log.exists():
        return ""
    return log.read_text(encoding="utf-8", errors="replace")[-limit:]


def _tied_to_parent() -> list[str]:
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", "-c", _TRAMPOLINE, str(os.getpid())]

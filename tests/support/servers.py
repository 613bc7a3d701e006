"""What the private database and Redis servers of the tests have in common."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from tests.support.children import Child, tail
from tests.support.waiting import wait_until


class MissingServerError(RuntimeError):
    """A server program is not on this machine; the message says what to install."""


class Server(ABC):
    """A real server in a temporary folder of its own, on loopback, that a test may kill.

    Use it as a context manager, or call `start` and, at the end, `close`.
    """

    name: str
    ready_timeout: float = 180

    def __init__(self) -> None:
        # A short path: the name of a unix socket may have about 100 characters only.
        self.folder = Path(tempfile.mkdtemp(prefix=f"taskq-{self.name}-"))
        self.log = self.folder / "server.log"
        self._child: Child | None = None

    @abstractmethod
    def _argv(self) -> list[str | Path]:
        """The command line of the server."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server serves requests."""

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._child is not None and self._child.running

    @property
    def child(self) -> Child:
        """The server process."""
        if self._child is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._child

    def start(self) -> Self:
        """Start the server on its port and data, and wait until it answers."""
        if not self.running:
            self._child = Child(self._argv(), self.log, env=self._env())
            wait_until(self._ready, self.ready_timeout, f"{self.name} ready", details=self.output)
        return self

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would."""
        self.child.kill()

    def stop(self) -> None:
        """End it in good order; its data stay for the next `start`."""
        if self.running:
            self.child.stop()

    def restart(self) -> None:
        """Stop it in good order, unless it is dead already, and start it on the same address."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def output(self) -> str:
        """The end of the server's log."""
        return tail(self.log)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _env(self) -> dict[str, str] | None:
        """Environment of the server; None means that of the tests."""
        return None

    def _ready(self) -> bool:
        if not self.child.running:
            raise RuntimeError(f"{self.name} ended with {self.child.exit_code}\n{self.output()}")
        return self._answers()

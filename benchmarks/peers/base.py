"""What a contestant can do; every peer implements what makes sense for it."""

import os
import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import ClassVar, Self

from benchmarks import tasks
from benchmarks.servers import Servers
from tests.support.children import Child
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

RoundTrip = Callable[[], object]
"""Submit one no-op, wait for its result, and return."""


class Peer(ABC):
    """One contestant in one round: a new database, its own processes, all gone at the end."""

    name: ClassVar[str]
    look_seconds: ClassVar[float] = 0.02

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="taskq-bench-"))
        self.children: list[Child] = []

    def __enter__(self) -> Self:
        try:
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self.children):
            child.stop()
        self.stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @abstractmethod
    def prepare(self) -> None:
        """Make empty tables and queues."""

    @property
    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """What its processes find in their environment."""

    def run(self, words: list[str]) -> Child:
        """Start a Python module as a process that ends with this round."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKQ_")}
        child = Child(
            [sys.executable, "-m", *words],
            self.folder / f"{len(self.children)}.log",
            env={**kept, "PYTHONPATH": str(ROOT), **self.environment},
            cwd=self.folder,
        )
        self.children.append(child)
        return child

    def measuring(self, tasks: int) -> AbstractContextManager[None]:
        """Scenarios enter it around what they measure, once all is warm.

        Args:
            tasks: How many tasks, or requests, they measure.
        """
        return nullcontext()

    def logs(self) -> str:
        """The end of what its processes said."""
        return "\n".join(f"{child.argv}\n{child.output(3_000)}" for child in self.children)

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until the condition holds.

        Raises:
            TimeoutError: It does not; the message has the logs.
        """
        wait_until(condition, seconds, f"{self.name}: {what}", self.look_seconds, self.logs)


class Queue(Peer):
    """A contestant with a worker."""

    @abstractmethod
    def start_worker(self) -> None:
        """Start one worker process and return at once."""

    @abstractmethod
    def fill(self, count: int) -> float:
        """Queue no-op tasks by the fastest call there is; the seconds that this took."""

    @abstractmethod
    def done(self) -> int:
        """How many tasks have ended, results included where it keeps any."""

    @abstractmethod
    def round_trip(self) -> RoundTrip:
        """Prepare for idle submits one by one."""


class Web(Peer):
    """A contestant with an HTTP API."""

    port: int
    target: ClassVar[str] = "/tasks"

    @abstractmethod
    def start_api(self) -> None:
        """Start one API process and wait until it answers."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What else each request says."""
        return {}

    def body(self, number: int) -> bytes:
        """The body of one submit."""
        return tasks.body(number)

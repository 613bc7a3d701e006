"""Background work: a task on an event loop, or a thread in a client that blocks."""

from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Pending(Protocol[T_co]):
    """Background work; awaiting it returns its result, or raises its error."""

    def __await__(self) -> Generator[Any, Any, T_co]:
        """Wait until the work has ended."""

    def cancel(self) -> bool:
        """Cancel the work, if that is possible."""


class PendingOnThread(Generic[T]):
    """Work on a thread of its own; the process may end before the work has ended.

    Args:
        work: The function that the thread calls.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._future: Future[T] = Future()
        target = copy_context().run
        Thread(target=target, args=(self._run, work), name="taskq-client", daemon=True).start()

    def __await__(self) -> Generator[Any, Any, T]:
        yield from ()  # never suspends, it blocks
        return self._future.result()

    def cancel(self) -> bool:
        return False

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._future.set_result(work())
        except BaseException as error:
            self._future.set_exception(error)

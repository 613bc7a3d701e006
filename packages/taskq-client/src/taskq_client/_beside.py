"""Work that goes on beside its caller: a task on a loop, or a thread where everything blocks."""

from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Begun(Protocol[T_co]):
    """Work that was begun; awaiting it gives its result, or raises what it raised."""

    def __await__(self) -> Generator[Any, Any, T_co]:
        """Wait for its end."""

    def cancel(self) -> bool:
        """Give it up, if that is possible."""


class OnThread(Generic[T]):
    """Work on a thread of its own; the end of the process does not wait for it.

    Args:
        work: Is called there.
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

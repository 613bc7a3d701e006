"""Short transactions, which run again after a conflict and fail when the database is away.

The differences between databases are in `core.dialects`.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from taskq_server.core import dialects
from taskq_server.core.database_errors import (
    is_away,
    is_conflict,
    is_given_up,
    is_refusal,
    reason,
)
from taskq_server.core.database_outages import DatabaseOutages
from taskq_server.core.dialects.base import READ_ONLY
from taskq_server.core.hang_detector import HangDetector
from taskq_server.core.leaving import leave_open_transactions, leave_refusing_servers
from taskq_server.core.loop_timeout import LoopTimeout
from taskq_server.core.observer import NOBODY, DatabaseFailure, Observer
from taskq_server.core.renewal import Renewal
from taskq_server.domain.errors import ConnectionLost, DatabaseUnavailable

T = TypeVar("T")

Connection = AsyncConnection
"""The connection that the work of a transaction gets."""

DatabaseError = SQLAlchemyError
"""Any error of the database."""

Violation = IntegrityError
"""The error of a broken constraint; `core.database_errors` distinguishes the kinds."""

_ATTEMPTS = 10
_LONGEST_PAUSE_SECONDS = 0.1
_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout, OSError, TimeoutError)


class Database:
    """One engine, and short transactions on it.

    On a database with one writer, the writes of this process queue up.

    Args:
        url: `mysql+asyncmy://…` or `sqlite+aiosqlite://…`.
        pool_size: most connections.
        connect_seconds: time limit of waiting for a connection.
        timeout_seconds: time limit of a transaction.
        hang_seconds: time without any answer after which the server counts as hung; None waits for
            `timeout_seconds`.
        observer: is told of errors.

    Attributes:
        dialect: the dialect of this kind of database.
        observer: is for all that works with the database, its group commits above all.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        connect_seconds: float = 1.5,
        timeout_seconds: float = 30.0,
        hang_seconds: float | None = None,
        observer: Observer = NOBODY,
    ) -> None:
        self.observer = observer
        self._timeout = timeout_seconds
        parsed = make_url(url)
        self.dialect = dialects.of_url(parsed)
        self.engine = self.dialect.engine(
            parsed, connect_seconds=connect_seconds, pool_size=pool_size
        )
        self.readers = self.engine.execution_options(**{READ_ONLY: True})
        self._renewal = Renewal()
        self._outages = DatabaseOutages.of(parsed)
        self._write_lock = asyncio.Lock() if self.dialect.one_writer else None
        leave_open_transactions(self.engine.sync_engine)
        leave_refusing_servers(self.engine.sync_engine, self._renewal)
        probe = None if hang_seconds is None else self.dialect.probe_engine(parsed)
        self._hang_detector = None
        if hang_seconds is not None and probe is not None:
            leave_open_transactions(probe.sync_engine)
            self._hang_detector = HangDetector(
                lambda: _select_one(probe), hang_seconds, self._renewal.leave
            )

    async def close(self) -> None:
        """Close all connections."""
        if self._hang_detector is not None:
            await self._hang_detector.close()
        await self.engine.dispose()

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in one transaction and return its answer after the commit.

        After a deadlock, a lock wait, a lost connection or a refused write the transaction is
        rolled back and `work` runs again, a bounded number of times. So `work` must not change
        anything but the database.

        Raises:
            DatabaseUnavailable: the database is away, or does not write.
        """
        return await self._run(self.engine, work, self._write_lock)

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work`, which only reads, on one connection.

        Raises:
            DatabaseUnavailable: the database is away.
        """
        return await self._run(self.readers, work, None)

    async def now(self) -> datetime:
        """Return the database's clock, aware UTC."""
        clock = self.dialect.now()
        if clock is None:
            return datetime.now(UTC)

        async def ask(connection: AsyncConnection) -> datetime:
            answer: datetime = (await connection.execute(select(clock))).scalar_one()
            return answer.replace(tzinfo=UTC)

        return await self.read(ask)

    async def _run(
        self,
        engine: AsyncEngine,
        work: Callable[[AsyncConnection], Awaitable[T]],
        lock: asyncio.Lock | None,
    ) -> T:
        began = asked = self._renewal.clock()
        for attempt in range(1, _ATTEMPTS + 1):
            limit: LoopTimeout | None = None
            try:
                async with (
                    self._limit() as limit,
                    _held(lock),
                    engine.begin() as connection,
                ):
                    answer = await work(connection)
                self._outages.works(writes=engine is self.engine)
                return answer
            except _AWAY as error:
                self.observer.database_failed(_failure(error))
                again = self._may_do_better(error, asked) or _stood_still(limit)
                asked = self._renewal.clock()
                if is_conflict(error) and attempt < _ATTEMPTS and asked - began < self._timeout:
                    await asyncio.sleep(_pause(attempt))
                elif attempt > 1 or not again:
                    raise self._unavailable(error) from error
            except Violation:
                raise  # a caller asks what is there by trying
            except DatabaseError:
                self.observer.database_failed("other")
                raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _may_do_better(self, error: Exception, asked: float) -> bool:
        if is_refusal(error):
            return self._renewal.helps(asked)
        return is_given_up(error)

    def _unavailable(self, error: Exception) -> DatabaseUnavailable:
        outage = self._outages.of_error(error)
        outage.fails(reason(error))
        kind = ConnectionLost if self._hung_up(error) else DatabaseUnavailable
        return kind(outage.what)

    def _hung_up(self, error: Exception) -> bool:
        if not isinstance(error, DBAPIError):
            return False
        of_driver: Any = error.orig
        return self.engine.dialect.is_disconnect(of_driver, None, None)

    def _limit(self) -> AbstractAsyncContextManager[LoopTimeout]:
        if self._hang_detector is None:
            return LoopTimeout(self._timeout)
        return self._hang_detector.limit(self._timeout)


def _failure(error: Exception) -> DatabaseFailure:
    if is_conflict(error):
        return "conflict"
    if is_refusal(error):
        return "refused"
    return "away" if is_away(error) else "other"


def _stood_still(limit: LoopTimeout | None) -> bool:
    """Whether the time limit may have run out because this process's event loop stood still."""
    return limit is not None and limit.stood_still


def _pause(attempt: int) -> float:
    return random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.005 * 2**attempt))


@asynccontextmanager
async def _held(lock: asyncio.Lock | None) -> AsyncIterator[None]:
    if lock is None:
        yield
    else:
        async with lock:
            yield


async def _select_one(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def ping(database: Database) -> None:
    """Run a trivial query.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """

    async def one(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT 1"))

    await database.read(one)

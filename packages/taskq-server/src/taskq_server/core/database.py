"""Engine and transactions, of MySQL and SQLite alike."""

import asyncio
import logging
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event, func, select, text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.schema import Table
from sqlalchemy.sql.dml import Insert

from taskq_server.core import private, urls
from taskq_server.core.database_errors import is_conflict, is_given_up, is_refusal, reason
from taskq_server.core.hang_detector import HangDetector
from taskq_server.core.leaving import leave_open_transactions, leave_refusing_servers
from taskq_server.core.outages import Outage, outage
from taskq_server.core.patience import Patience
from taskq_server.core.renewal import Renewal
from taskq_server.domain.errors import ConnectionLost, DatabaseUnavailable

T = TypeVar("T")

Connection = AsyncConnection
"""What a transaction's work is handed."""

DatabaseError = SQLAlchemyError
"""Whatever the database may refuse."""

Violation = IntegrityError
"""What a constraint refuses; `core.database_errors` tells the kinds apart."""

_ATTEMPTS = 10
_LONGEST_PAUSE_SECONDS = 0.1
_CROWDED_SECONDS = 30.0
_NEVER_SECONDS = 3600.0
_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout, OSError, TimeoutError)
_log = logging.getLogger("taskq.server.database")
_READ_ONLY = "taskq_read_only"


class Database:
    """One engine, and short transactions on it.

    MySQL and MariaDB run READ COMMITTED. SQLite runs in WAL mode; every write begins IMMEDIATE
    behind one lock of this process, since a deferred read-then-write fails at once.

    Args:
        url: `mysql+asyncmy://…` or `sqlite+aiosqlite://…`.
        pool_size: connections, at most.
        connect_seconds: how long a transaction may wait for a connection.
        timeout_seconds: how long a transaction may take.
        hang_seconds: give up on a server that gives no sign of life for so long; None has patience
            for `timeout_seconds`.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        connect_seconds: float = 1.5,
        timeout_seconds: float = 30.0,
        hang_seconds: float | None = None,
    ) -> None:
        self._timeout = timeout_seconds
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.engine = (
            _sqlite_engine(parsed)
            if self.is_sqlite
            else _mysql_engine(
                parsed,
                connect_seconds,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=connect_seconds,
                pool_recycle=1800,
                pool_reset_on_return=None,  # no ROLLBACK after a COMMIT; see core.leaving
            )
        )
        self._renewal = Renewal()
        self._outages = _Outages.of(parsed)
        leave_refusing_servers(self.engine.sync_engine, self._renewal)
        self.readers = self.engine.execution_options(**{_READ_ONLY: True})
        self._write_lock = asyncio.Lock() if self.is_sqlite else None
        self._pulse = None
        if hang_seconds is not None and not self.is_sqlite:
            ask = _mysql_engine(parsed, _NEVER_SECONDS, poolclass=NullPool)
            self._pulse = HangDetector(lambda: _select_one(ask), hang_seconds, self._renewal.leave)

    async def close(self) -> None:
        """Close all connections."""
        if self._pulse is not None:
            await self._pulse.close()
        await self.engine.dispose()

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in one transaction and return its answer after the commit.

        A deadlock, a lock wait, a lost connection or a server that no longer writes rolls back and
        runs `work` again, a bounded number of times: `work` must not change anything but the
        database.

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
        if self.is_sqlite:
            return datetime.now(UTC)

        async def ask(connection: AsyncConnection) -> datetime:
            answer: datetime = (
                await connection.execute(select(func.utc_timestamp(6)))
            ).scalar_one()
            return answer.replace(tzinfo=UTC)

        return await self.read(ask)

    def upsert(self, table: Table, *, update: list[str]) -> Insert:
        """Return an INSERT that updates the columns named in `update` of a row that is there."""
        if self.is_sqlite:
            new = sqlite.insert(table)
            return new.on_conflict_do_update(
                index_elements=list(table.primary_key.columns),
                set_={name: new.excluded[name] for name in update},
            )
        statement = mysql.insert(table)
        return statement.on_duplicate_key_update(
            {name: statement.inserted[name] for name in update}
        )

    async def _run(
        self,
        engine: AsyncEngine,
        work: Callable[[AsyncConnection], Awaitable[T]],
        lock: asyncio.Lock | None,
    ) -> T:
        began = asked = self._renewal.clock()
        for attempt in range(1, _ATTEMPTS + 1):
            patience: Patience | None = None
            try:
                async with (
                    self._limit() as patience,
                    _held(lock),
                    engine.begin() as connection,
                ):
                    answer = await work(connection)
                self._outages.works(writes=engine is self.engine)
                return answer
            except _AWAY as error:
                again = self._may_do_better(error, asked) or _stood_still(patience)
                asked = self._renewal.clock()
                if is_conflict(error) and attempt < _ATTEMPTS and asked - began < self._timeout:
                    await asyncio.sleep(_pause(attempt))
                elif attempt > 1 or not again:
                    raise self._unavailable(error) from error
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

    def _limit(self) -> AbstractAsyncContextManager[Patience]:
        if self._pulse is None:
            return Patience(self._timeout)
        return self._pulse.limit(self._timeout)


@dataclass(frozen=True, slots=True)
class _Outages:
    """What may be wrong with one database; all parts of a process that use it share them."""

    away: Outage
    refuses: Outage
    crowded: Outage

    @classmethod
    def of(cls, url: URL) -> "_Outages":
        where = f"{url.host}:{url.port}/{url.database}"
        crowded = "too many transactions of the database want the same rows"
        return cls(
            away=outage("the database does not answer", where),
            refuses=outage("the database is read-only, or refuses to serve", where),
            crowded=outage(crowded, where, _CROWDED_SECONDS),
        )

    def of_error(self, error: Exception) -> Outage:
        if is_conflict(error):
            return self.crowded
        return self.refuses if is_refusal(error) else self.away

    def works(self, *, writes: bool) -> None:
        self.away.works()
        if writes:
            self.refuses.works()
            self.crowded.works()


def insert_once(table: Table, dialect: Dialect) -> Insert:
    """Return an INSERT that leaves rows alone whose unique key is already there."""
    if dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    first = next(iter(table.primary_key.columns))
    return mysql.insert(table).on_duplicate_key_update({first.name: first})


def _stood_still(patience: Patience | None) -> bool:
    """Whether it may have been our own loop that did not wait for an answer long enough."""
    return patience is not None and patience.stood_still


def _pause(attempt: int) -> float:
    return random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.005 * 2**attempt))


@asynccontextmanager
async def _held(lock: asyncio.Lock | None) -> AsyncIterator[None]:
    if lock is None:
        yield
    else:
        async with lock:
            yield


def _mysql_engine(url: URL, connect_seconds: float, **pool: Any) -> AsyncEngine:
    plain, tls = urls.split_tls(url)
    options: dict[str, Any] = {
        "connect_timeout": connect_seconds,
        "init_command": "SET time_zone = '+00:00'",
    }
    if url.password:
        options["password"] = url.password.encode()  # the driver's own is Latin-1
    if tls and not any(name.startswith("ssl_") for name in plain.query):
        options["ssl"] = True
    engine = create_async_engine(
        plain.update_query_dict({"charset": "utf8mb4"}),
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args=options,
        **pool,
    )
    event.listen(engine.sync_engine, "do_connect", _connect_mysql)
    leave_open_transactions(engine.sync_engine)
    return engine


def _connect_mysql(dialect: Dialect, _: Any, arguments: Any, options: Any) -> Any:
    try:
        return dialect.connect(*arguments, **options)
    except RuntimeError as error:
        # What asyncmy makes of a server that hangs up as soon as it has taken the connection.
        raise ConnectionError(str(error)) from error


async def _select_one(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


def _sqlite_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True)
    event.listen(engine.sync_engine, "do_connect", _check_sqlite_opens)
    leave_open_transactions(engine.sync_engine)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _check_sqlite_opens(
    dialect: Dialect, record: ConnectionPoolEntry, arguments: list[Any], options: dict[str, Any]
) -> None:
    """Raise for a file that cannot be opened, before aiosqlite starts a thread for it.

    aiosqlite leaves that thread behind, and what it says may reach an event loop that is closed.
    """
    if arguments[0] != ":memory:" and not options.get("uri"):
        private.make_sqlite(Path(arguments[0]))
    sqlite3.connect(*arguments, **options).close()


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_wal(cursor)
    for pragma in ("synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Change the journal's mode, in spite of others who open a new file at the same moment.

    SQLite refuses all but one of them at once, whatever their timeout.
    """
    deadline = time.monotonic() + 1.0
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.005)


def _begin_sqlite(connection: Any) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def make_folder(url: str) -> None:
    """Create the folder that a SQLite file is to lie in, for this user only."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        private.make_folder(Path(parsed.database).parent)


async def ping(database: Database) -> None:
    """Ask the database for a sign of life.

    Raises:
        DatabaseUnavailable: there is none.
    """

    async def one(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT 1"))

    await database.read(one)

"""`Dialect`, the interface to a kind of database, with one subclass for each kind.

A dialect has no state, so one object serves all engines of its kind. SQLAlchemy's own dialect does
the rest: it compiles Core, adapts column types, and detects lost connections (`is_disconnect`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import Table
from sqlalchemy.sql import ColumnElement, Select
from sqlalchemy.sql.dml import Insert

from taskq_server.core.dialects.server import ServerFacts

READ_ONLY = "taskq_read_only"
"""The execution option of connections that only read."""

Columns = Sequence[Sequence[object]]
"""The values of each column, one for each row."""


class Answer(NamedTuple):
    """The result of a statement: its rows, and the number of rows that it matched."""

    rows: Sequence[Sequence[Any]]
    met: int


class ErrorKind(Enum):
    """The meaning of a driver's error for its transaction."""

    CONFLICT = auto()
    """Another transaction used the same rows, so this one may run again."""
    REFUSAL = auto()
    """The server refuses writes, or everything, in its present role or mode."""
    UNWRITABLE = auto()
    """The database is read-only on every server, until an operator mends it."""
    AWAY = auto()
    """The server or the network is down, and may come back."""
    BROKEN = auto()
    """As `AWAY`, but the error's text has an unknown source."""
    DENIED = auto()
    """The server denies access to the account or to the database."""
    DUPLICATE = auto()
    """A row with the same unique key exists."""
    OTHER = auto()


class Dialect(ABC):
    """One kind of database.

    Attributes:
        name: the name in SQLAlchemy.
        example: an example of a URL; its scheme is the only one that is taken.
        one_writer: whether the writing transactions of a process have to queue up.
        errors_quote_values: whether the text of an error may quote values of a row.
    """

    name: ClassVar[str]
    example: ClassVar[str]
    one_writer: ClassVar[bool] = False
    errors_quote_values: ClassVar[bool] = True

    @property
    def scheme(self) -> str:
        """Return the beginning of URLs of this kind."""
        return "".join(self.example.partition("://")[:2])

    @abstractmethod
    def check_url(self, url: URL) -> None:
        """Check a URL of this scheme, without a connection.

        Raises:
            ValueError: the URL cannot be used; the message repeats no part of it.
        """

    def folder(self, url: URL) -> Path | None:
        """Return the folder of the database's file; None if a server keeps the data."""
        return None

    @abstractmethod
    def engine(self, url: URL, *, connect_seconds: float, pool_size: int) -> AsyncEngine:
        """Return an engine: READ COMMITTED or stricter, UTC, without a ROLLBACK after a COMMIT.

        Args:
            url: a URL that `check_url` accepted.
            connect_seconds: how long to wait for a connection.
            pool_size: most connections.
        """

    def probe_engine(self, url: URL) -> AsyncEngine | None:
        """Return an engine without a pool for probes; None if the database cannot hang."""
        return None

    def now(self) -> ColumnElement[Any] | None:
        """Return the server's clock, as naive UTC; None stands for the clock of this machine."""
        return None

    def after(self, seconds: float) -> ColumnElement[Any] | datetime:
        """Return the time in some seconds by the clock of `now`, as a value to write."""
        return datetime.now(UTC) + timedelta(seconds=seconds)

    @abstractmethod
    async def facts(self, connection: AsyncConnection) -> ServerFacts:
        """Return what the database says of itself."""

    @abstractmethod
    def upsert(
        self, table: Table, *, update: Sequence[str] = (), add: Sequence[str] = ()
    ) -> Insert:
        """Return an INSERT that updates an existing row instead.

        Args:
            table: the table.
            update: the columns that get the new values.
            add: the columns to which the new values are added.
        """

    @abstractmethod
    def insert_once(self, table: Table) -> Insert:
        """Return an INSERT that skips rows whose unique key exists."""

    def along_index(self, select: Select[Any], table: Table, index: str | None) -> Select[Any]:
        """Return a SELECT that starts in an index where its range starts.

        The SELECT is unchanged where the planner chooses the index by itself.

        Args:
            select: any SELECT.
            table: a table that the SELECT reads.
            index: the name of the index; None stands for the primary key.
        """
        return select

    @abstractmethod
    def kind_of(self, error: BaseException) -> ErrorKind | None:
        """Return the meaning of a driver's error.

        None stands for an error of another driver or without a code, which counts as `BROKEN`.
        """

    @abstractmethod
    async def execute(
        self, connection: AsyncConnection, sql: str, values: Sequence[object] | None = None
    ) -> Answer:
        """Run one statement of the hot path.

        Args:
            connection: in a transaction.
            sql: the text, compiled for this database; without values, a % stands for itself.
            values: the driver's values, in order.

        Raises:
            DBAPIError: the database refuses the statement, or is gone; `connection_invalidated`
                tells which.
        """

    @abstractmethod
    async def insert_many(self, connection: AsyncConnection, sql: str, columns: Columns) -> None:
        """Run an INSERT for many rows.

        Args:
            connection: in a transaction.
            sql: an INSERT of one row, compiled for this database.
            columns: the driver's values.

        Raises:
            DBAPIError: the database refuses the INSERT, or is gone.
        """

    def with_ids(
        self, around: tuple[str, str], ids: Sequence[str], values: Sequence[object]
    ) -> tuple[str, Sequence[object]]:
        """Return the text of a statement about some rows, and its values.

        The ids become part of the text, because one parameter for each id costs the driver more
        than everything else. They are hexadecimal digits, so they need no escaping. The dialect of
        a database that plans each new text may pass the ids as one more value instead.

        Args:
            around: the text before and after the list of `column IN (list)`.
            ids: in ascending order; an empty list matches no row.
            values: the driver's values of the other parameters.
        """
        listed = "','".join(ids)
        return f"{around[0]}('{listed}'){around[1]}", values

    def repeated(self, sql: str, times: int) -> str:
        """Return one statement that unites copies of a SELECT, each with its own values.

        The parameters of the copies follow each other. If parameters are numbered (`$1`), the
        numbers of each copy have to continue those of the last copy.
        """
        return " UNION ALL ".join([sql] * times)


def kinds(codes: Mapping[ErrorKind, Sequence[int]]) -> dict[int, ErrorKind]:
    """Return the kind of each of a driver's codes."""
    return {code: kind for kind, some in codes.items() for code in some}

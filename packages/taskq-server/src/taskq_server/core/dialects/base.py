"""What taskq asks of a database: `Dialect`, with one subclass for each kind.

A dialect has no state, so one object serves all engines of its kind. SQLAlchemy's own dialect does
the rest: it compiles Core, adapts column types, and knows a lost connection (`is_disconnect`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import Table
from sqlalchemy.sql import ColumnElement, Select
from sqlalchemy.sql.dml import Insert

READ_ONLY = "taskq_read_only"
"""The execution option of connections that only read."""

Columns = Sequence[Sequence[object]]
"""The values of each column, one for each row."""


class Answer(NamedTuple):
    """What a statement returned: its rows, and how many rows it met."""

    rows: Sequence[Sequence[Any]]
    met: int


class ErrorKind(Enum):
    """What an error of the driver means for the transaction that met it."""

    CONFLICT = auto()
    """Others wanted the same rows: the transaction may be run again."""
    REFUSAL = auto()
    """This server does not write, or does nothing, as long as it is what it is."""
    UNWRITABLE = auto()
    """Nothing can be written, here or elsewhere, until somebody mends it."""
    AWAY = auto()
    """The server, or the way to it, may answer later what it does not answer now."""
    BROKEN = auto()
    """The same, but the error's text comes from anywhere."""
    DENIED = auto()
    """The account or its database is not let in."""
    DUPLICATE = auto()
    """A row with the same unique key is there already."""
    DANGLING = auto()
    """A row refers to one that is not there."""
    OTHER = auto()


class Dialect(ABC):
    """One kind of database.

    Attributes:
        name: SQLAlchemy's.
        example: a URL of it, whose scheme is the only one that is taken.
        one_writer: the transactions of a process have to queue up to write.
        errors_quote_values: the text of an error may quote values of a row.
    """

    name: ClassVar[str]
    example: ClassVar[str]
    one_writer: ClassVar[bool] = False
    errors_quote_values: ClassVar[bool] = True

    @property
    def scheme(self) -> str:
        """Return what its URLs begin with."""
        return "".join(self.example.partition("://")[:2])

    @abstractmethod
    def check_url(self, url: URL) -> None:
        """Check a URL of this scheme, without a connection.

        Raises:
            ValueError: it cannot be used; the sentence repeats no part of it.
        """

    def folder(self, url: URL) -> Path | None:
        """Return the folder that the database's file lies in; None if a server has it."""
        return None

    @abstractmethod
    def engine(self, url: URL, *, connect_seconds: float, pool_size: int) -> AsyncEngine:
        """Return an engine: READ COMMITTED or stricter, UTC, without a ROLLBACK after a COMMIT.

        Args:
            url: one that `check_url` took.
            connect_seconds: how long to wait for a connection.
            pool_size: connections, at most.
        """

    def probe_engine(self, url: URL) -> AsyncEngine | None:
        """Return an engine without a pool that asks for signs of life; None if nothing can hang."""
        return None

    def now(self) -> ColumnElement[Any] | None:
        """Return the server's clock, as naive UTC; None if it is the clock of this machine."""
        return None

    @abstractmethod
    def upsert(self, table: Table, *, update: Sequence[str]) -> Insert:
        """Return an INSERT that updates the columns named in `update` of a row that is there."""

    @abstractmethod
    def insert_once(self, table: Table) -> Insert:
        """Return an INSERT that leaves rows alone whose unique key is already there."""

    def along_index(self, select: Select[Any], table: Table, index: str | None) -> Select[Any]:
        """Return a SELECT that starts in an index where its range starts.

        Nothing is done where the planner finds out by itself.

        Args:
            select: any.
            table: one that it reads.
            index: by name; None is the primary key.
        """
        return select

    @abstractmethod
    def kind_of(self, error: BaseException) -> ErrorKind | None:
        """Return what an error of the driver means.

        None if it is one of another driver, or has no code: then it is taken for `BROKEN`.
        """

    @abstractmethod
    async def execute(
        self, connection: AsyncConnection, sql: str, values: Sequence[object] | None = None
    ) -> Answer:
        """Run one statement of the hot path.

        Args:
            connection: in a transaction.
            sql: as it is compiled for this database; without values, a % is a %.
            values: the driver's, in order.

        Raises:
            DBAPIError: the database refuses it, or is gone; `connection_invalidated` says which.
        """

    @abstractmethod
    async def insert_many(self, connection: AsyncConnection, sql: str, columns: Columns) -> None:
        """Run an INSERT for many rows.

        Args:
            connection: in a transaction.
            sql: an INSERT of one row, as it is compiled for this database.
            columns: the driver's values.

        Raises:
            DBAPIError: the database refuses it, or is gone.
        """

    def with_ids(
        self, around: tuple[str, str], ids: Sequence[str], values: Sequence[object]
    ) -> tuple[str, Sequence[object]]:
        """Return a statement about some rows, and its values.

        Here ids stand in the text, because one parameter for each of them costs the driver more
        than all the rest. They are hexadecimal digits, so nothing in them needs to be escaped. A
        database that plans each new text may pass them as one more value instead.

        Args:
            around: the text before and after the list of `column IN (list)`.
            ids: in order; without any, no row is met.
            values: the driver's, of the other parameters.
        """
        listed = "','".join(ids)
        return f"{around[0]}('{listed}'){around[1]}", values

    def repeated(self, sql: str, times: int) -> str:
        """Return one statement for all answers of some copies, each with its own values.

        The parameters of the copies follow each other. Where they are numbered (`$1`), those of
        each copy have to go on from the one before.
        """
        return " UNION ALL ".join([sql] * times)


def kinds(codes: Mapping[ErrorKind, Sequence[int]]) -> dict[int, ErrorKind]:
    """Return the kind of each of a driver's codes."""
    return {code: kind for kind, some in codes.items() for code in some}

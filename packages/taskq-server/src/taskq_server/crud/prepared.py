"""The statements of the hot path: written in Core, compiled once, run by the driver.

For each execution SQLAlchemy looks for the compiled text in a cache, processes parameters, makes a
context and a result, and changes greenlets. That is half of what a claim of a batch costs, so these
classes keep the compiled text themselves and hand it to `Dialect`. Three kinds are worth it because
they grow with a batch: a statement about some ids, many copies of a SELECT, an INSERT of many rows.
Everything else goes through `connection.execute`, as in any application.

Values pass through the processors of the column types, as SQLAlchemy would send and read them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ClauseElement

from taskq_server.core import dialects
from taskq_server.core.dialects.base import Dialect
from taskq_server.core.dialects.compiled import Compiled, bound_column, compiled, is_one_of_ids

__all__ = ["BulkInsert", "IdListStatement", "UnionStatement", "is_one_of_ids"]

T = TypeVar("T")
_Make = Callable[[tuple[Any, ...]], T]

_TOGETHER = 100  # SQLite takes no more than 500 parts of one statement


class IdListStatement(Generic[T]):
    """A statement about the rows with some ids.

    Args:
        statement: has one condition `is_one_of_ids`; its other parameters have names.
        make: takes the values of one row of a SELECT.
    """

    def __init__(self, statement: ClauseElement, make: _Make[T]) -> None:
        self.statement = statement
        self._make = make
        # One text for each dialect, not for each engine, because a process that opens engines again
        # and again, as tests do, must not accumulate texts.
        self._prepared: dict[Dialect, tuple[Compiled, tuple[str, str]]] = {}

    async def __call__(
        self, connection: AsyncConnection, ids: Iterable[UUID], **parameters: object
    ) -> list[T]:
        """Run a SELECT and return its rows."""
        return (await self._run(connection, ids, parameters))[0]

    async def count(
        self, connection: AsyncConnection, ids: Iterable[UUID], **parameters: object
    ) -> int:
        """Run an UPDATE and return how many rows it matched."""
        return (await self._run(connection, ids, parameters))[1]

    async def _run(
        self, connection: AsyncConnection, ids: Iterable[UUID], parameters: Mapping[str, object]
    ) -> tuple[list[T], int]:
        dialect = dialects.of(connection)
        if dialect not in self._prepared:
            new = compiled(self.statement, connection.dialect)
            self._prepared[dialect] = new, new.around_ids()
        text, around = self._prepared[dialect]
        # Sorted, because transactions that lock rows in different orders wait for each other.
        digits = sorted({each.hex for each in ids})
        sql, values = dialect.with_ids(around, digits, text.values(parameters))
        rows, met = await dialect.execute(connection, sql, values)
        return text.read(rows, self._make), met


class UnionStatement(Generic[T]):
    """A SELECT that runs for many values of its parameters, in few round trips.

    `IN` is no alternative if each copy has its own order and limit; see `crud.ranges`.

    Args:
        statement: a subquery, selected; its parameters have names.
        make: takes the values of one row.
    """

    def __init__(self, statement: Select[Any], make: _Make[T]) -> None:
        self.statement = statement
        self._make = make
        self._prepared: dict[Dialect, Compiled] = {}

    async def __call__(
        self, connection: AsyncConnection, given: Sequence[Mapping[str, object]]
    ) -> list[T]:
        """Return the rows of all copies."""
        dialect = dialects.of(connection)
        if dialect not in self._prepared:
            self._prepared[dialect] = compiled(self.statement, connection.dialect)
        text = self._prepared[dialect]
        found: list[Sequence[Any]] = []
        for start in range(0, len(given), _TOGETHER):
            some = given[start : start + _TOGETHER]
            values = tuple(chain.from_iterable(map(text.values, some)))
            sql = dialect.repeated(text.sql, len(some))
            found += (await dialect.execute(connection, sql, values)).rows
        return text.read(found, self._make)


class BulkInsert:
    """Insert rows.

    Args:
        table: the table.
        once: whether to skip rows whose unique key exists, instead of raising `Violation`.
    """

    def __init__(self, table: Table, *, once: bool) -> None:
        self.table = table
        self.once = once
        # By the columns, too, because batches use a few different sets of columns.
        self._prepared: dict[tuple[Dialect, tuple[str, ...]], Compiled] = {}

    async def __call__(
        self, connection: AsyncConnection, names: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        """Insert `rows`, whose values are in the order of the columns `names`.

        Columns that are null in all rows are left out, as a third of a new task's columns are.
        """
        if not rows:
            return
        dialect = dialects.of(connection)
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        used = [name for name, column in columns.items() if _has_values(column)]
        key = (dialect, tuple(used))
        if key not in self._prepared:
            new = dialect.insert_once(self.table) if self.once else insert(self.table)
            self._prepared[key] = compiled(new, connection.dialect, column_keys=used)
        text = self._prepared[key]
        # By column, because most columns of a batch have one value, which is processed once.
        sent = [bound_column(columns[bind.name], bind.process) for bind in text.binds]
        await dialect.insert_many(connection, text.sql, sent)


def _has_values(column: Sequence[object]) -> bool:
    return column[0] is not None or column.count(None) < len(column)

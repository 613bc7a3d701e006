"""Statements that run so often that SQLAlchemy's work for each row would be half of the cost.

They are written in Core like all others and compiled once for each dialect. Then the driver runs
them, ids stand in the text, and values pass through the column types' own processors.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Dialect, Select, Table, insert, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from taskq_server.core.database import insert_once
from taskq_server.core.dialects import mysql as driver
from taskq_server.core.dialects.multirow import is_constant
from taskq_server.core.dialects.mysql import Answer

T = TypeVar("T")
Processor = Callable[[Any], Any] | None
_Bind = tuple[str, Any, Processor]

_IDS = "(:ids)"
_TOGETHER = 100  # SQLite takes no more than 500 parts of one statement


def is_one_of_ids(column: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Return the condition that `IdListStatement` fills in."""
    return column.op("IN", is_comparison=True)(literal_column(_IDS))


class IdListStatement:
    """A statement about some rows, whose ids it is given.

    Args:
        statement: has one condition `is_one_of_ids`; its other parameters have names.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement
        self._compiled: dict[str, tuple[str, str, list[_Bind]]] = {}

    async def __call__(
        self, connection: AsyncConnection, ids: Iterable[UUID], **parameters: object
    ) -> Sequence[Sequence[Any]]:
        """Run it and return the driver's rows, if it has any; ids are sorted here."""
        return (await self._run(connection, ids, parameters)).rows

    async def count(
        self, connection: AsyncConnection, ids: Iterable[UUID], **parameters: object
    ) -> int:
        """Run it and return how many rows it met."""
        return (await self._run(connection, ids, parameters)).met

    async def _run(
        self, connection: AsyncConnection, ids: Iterable[UUID], parameters: Mapping[str, object]
    ) -> Answer:
        start, end, binds = self._prepared(connection.dialect)
        listed = "','".join(sorted({each.hex for each in ids}))
        values = tuple(
            _bound(parameters.get(name, value), process) for name, value, process in binds
        )
        return await driver.execute(connection, f"{start}('{listed}'){end}", values)

    def _prepared(self, dialect: Dialect) -> tuple[str, str, list[_Bind]]:
        if dialect.name not in self._compiled:
            sql, binds = _compiled(self.statement, dialect)
            start, _, end = sql.partition(_IDS)
            self._compiled[dialect.name] = start, end, binds
        return self._compiled[dialect.name]


class UnionStatement:
    """A statement that is asked for many values of its parameters, in few round trips.

    Args:
        statement: a subquery, selected; its parameters have names.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement
        self._compiled: dict[str, tuple[str, list[_Bind]]] = {}

    async def __call__(
        self, connection: AsyncConnection, given: Sequence[Mapping[str, object]]
    ) -> list[Sequence[Any]]:
        """Return the driver's rows of all answers."""
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = _compiled(self.statement, dialect)
        sql, binds = self._compiled[dialect.name]
        found: list[Sequence[Any]] = []
        for start in range(0, len(given), _TOGETHER):
            some = given[start : start + _TOGETHER]
            values = tuple(
                _bound(one.get(name, value), process)
                for one in some
                for name, value, process in binds
            )
            text = " UNION ALL ".join([sql] * len(some))
            found += (await driver.execute(connection, text, values)).rows
        return found


class BulkInsert:
    """Insert rows.

    Args:
        table: where to.
        once: leave out those whose unique key is there already, instead of raising `Violation`.
    """

    def __init__(self, table: Table, *, once: bool) -> None:
        self.table = table
        self.once = once
        self._compiled: dict[
            tuple[str, tuple[str, ...]], tuple[str, list[tuple[str, Processor]]]
        ] = {}

    async def __call__(
        self, connection: AsyncConnection, names: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        """Insert `rows`, whose values are in the order of the columns `names`.

        A column that is null in all rows is left out.
        """
        if not rows:
            return
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        used = [name for name, column in columns.items() if any(v is not None for v in column)]
        key = (connection.dialect.name, tuple(used))
        if key not in self._compiled:
            self._compiled[key] = self._prepare(connection.dialect, used)
        sql, binds = self._compiled[key]
        bound = [_bound_column(columns[name], process) for name, process in binds]
        await driver.insert(connection, sql, bound)

    def _prepare(
        self, dialect: Dialect, names: Sequence[str]
    ) -> tuple[str, list[tuple[str, Processor]]]:
        statement = insert_once(self.table, dialect) if self.once else insert(self.table)
        compiled = statement.compile(dialect=dialect, column_keys=names)
        assert isinstance(compiled, SQLCompiler)
        binds = [
            (name, _bind_processor(self.table.c[name].type, dialect))
            for name in compiled.positiontup or ()
        ]
        return str(compiled), binds


class RowMapper(Generic[T]):
    """Turn the driver's rows into values of the domain.

    Args:
        make: takes the values of one row.
        columns: what the statement selects.
    """

    def __init__(
        self, make: Callable[[Iterable[Any]], T], columns: Sequence[ColumnElement[Any]]
    ) -> None:
        self._make = make
        self._columns = columns
        self._processors: dict[str, list[tuple[int, Callable[[Any], Any]]]] = {}

    def __call__(self, dialect: Dialect, rows: Sequence[Sequence[Any]]) -> list[T]:
        """Return one value for each row."""
        if dialect.name not in self._processors:
            self._processors[dialect.name] = self._prepare(dialect)
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for index, process in self._processors[dialect.name] if columns else ():
            columns[index] = [None if value is None else process(value) for value in columns[index]]
        return list(map(self._make, zip(*columns, strict=True)))

    def _prepare(self, dialect: Dialect) -> list[tuple[int, Callable[[Any], Any]]]:
        processors: list[tuple[int, Callable[[Any], Any]]] = []
        for index, column in enumerate(self._columns):
            process = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if process is not None:
                processors.append((index, process))
        return processors


def _compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, list[_Bind]]:
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    binds = [
        (name, compiled.params[name], _bind_processor(compiled.binds[name].type, dialect))
        for name in compiled.positiontup or ()
    ]
    return str(compiled), binds


def _bound_column(values: Sequence[object], process: Processor) -> Sequence[object]:
    if process is None:
        return values
    if is_constant(values):  # a batch has one worker, one namespace, one time of its end
        return [_bound(values[0], process)] * len(values)
    return [_bound(value, process) for value in values]


def _bound(value: object, process: Processor) -> object:
    return value if value is None or process is None else process(value)


def _bind_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor:
    return kind.dialect_impl(dialect).bind_processor(dialect)

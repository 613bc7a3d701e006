"""Compile statements of Core once to text, so that the driver gets values without SQLAlchemy.

`Dialect.with_ids`, `repeated` and `insert_many` complete the text for each database.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, literal_column
from sqlalchemy.engine import Dialect as AlchemyDialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

T = TypeVar("T")
Processor = Callable[[Any], Any]

_IDS = "(:ids)"


class Bind(NamedTuple):
    """One parameter of a statement: its name, its default, and the processor of its values."""

    name: str
    default: Any
    process: Processor | None


class Compiled(NamedTuple):
    """A statement's text, its parameters in the order of the text, and the processors of its rows.

    `readers` has, by position, only the columns whose values need processing.
    """

    sql: str
    binds: tuple[Bind, ...]
    readers: tuple[tuple[int, Processor], ...]

    def values(self, given: Mapping[str, object]) -> tuple[object, ...]:
        """Return the driver's values of the parameters."""
        return tuple(
            [bound(given.get(name, default), process) for name, default, process in self.binds]
        )

    def read(self, rows: Sequence[Sequence[Any]], make: Callable[[tuple[Any, ...]], T]) -> list[T]:
        """Return `make` of each of the driver's rows.

        The values are processed by column, because most columns need no processing.
        """
        if not rows:
            return []
        columns: list[tuple[Any, ...] | list[Any]] = list(zip(*rows, strict=True))
        for index, process in self.readers:
            columns[index] = [None if value is None else process(value) for value in columns[index]]
        return list(map(make, zip(*columns, strict=True)))

    def around_ids(self) -> tuple[str, str]:
        """Return the text before and after the empty list of `is_one_of_ids`."""
        start, _, end = self.sql.partition(_IDS)
        return start, end


def is_one_of_ids(column: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Return a condition whose list `Dialect.with_ids` fills in.

    SQLAlchemy's expanding parameters would do the same, with one parameter for each id. But
    SQLAlchemy writes them into the text each time, which for a batch of 100 takes longer than the
    statement itself.
    """
    return column.op("IN", is_comparison=True)(literal_column(_IDS))


def compiled(statement: ClauseElement, dialect: AlchemyDialect, **options: Any) -> Compiled:
    """Return the text of a statement for one database.

    Args:
        statement: a statement with named parameters.
        dialect: SQLAlchemy's dialect of the connection.
        options: options of SQLAlchemy's compiler.
    """
    text = statement.compile(dialect=dialect, **options)
    assert isinstance(text, SQLCompiler)
    binds = [
        Bind(name, text.params.get(name), _sender(text.binds[name].type, dialect))
        for name in text.positiontup or ()
    ]
    columns = statement.selected_columns if isinstance(statement, Select) else ()
    read = [(number, _reader(column.type, dialect)) for number, column in enumerate(columns)]
    readers = [(number, process) for number, process in read if process is not None]
    return Compiled(str(text), tuple(binds), tuple(readers))


def bound(value: object, process: Processor | None) -> object:
    """Return the driver's form of a value."""
    return value if value is None or process is None else process(value)


def bound_column(values: Sequence[object], process: Processor | None) -> Sequence[object]:
    """Return the driver's form of the values of a column."""
    if process is None:
        return values
    if is_constant(values):  # a batch has one worker, one namespace, one time of its end
        return [bound(values[0], process)] * len(values)
    return [bound(value, process) for value in values]


def is_constant(values: Sequence[object]) -> bool:
    """Return whether a column has one value in all rows."""
    # The last one first, because ids differ, and take long to compare.
    return values[-1] == values[0] and values.count(values[0]) == len(values)


def _sender(kind: TypeEngine[Any], dialect: AlchemyDialect) -> Processor | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _reader(kind: TypeEngine[Any], dialect: AlchemyDialect) -> Processor | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)

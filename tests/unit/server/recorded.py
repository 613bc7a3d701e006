"""Statements of Core as a listener hears them, in the words that MySQL or MariaDB would get."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.mysql import asyncmy
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.dml import Insert, UpdateBase
from sqlalchemy.sql.selectable import Select

from taskq_server.core.dialects.mysql import MySQL
from taskq_server.crud import tables


class Recorded:
    """One statement with the values it was executed with."""

    def __init__(self, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> None:
        self.statement = statement
        self.rows = rows

    def sql(self, dialect: Dialect) -> str:
        keys = list(self.rows[0]) if self.rows and isinstance(self.statement, Insert) else None
        many = len(self.rows) > 1
        statement = in_mysqls_words(self.statement)
        compiled = statement.compile(dialect=dialect, column_keys=keys, for_executemany=many)
        return re.sub(r"\s+", " ", str(compiled))

    @property
    def locks(self) -> bool:
        """Whether it takes locks that it keeps until the end of its transaction."""
        if isinstance(self.statement, Select):
            return self.statement._for_update_arg is not None
        return isinstance(self.statement, UpdateBase)

    def id_lists(self) -> Iterator[list[UUID]]:
        """The ids of every IN list, and of the rows of an INSERT."""
        given: dict[str, Any] = {}
        if not isinstance(self.statement, Insert):
            given.update(*self.rows)
        compiled = in_mysqls_words(self.statement).compile(dialect=asyncmy.dialect())
        for value in {**compiled.params, **given}.values():
            if isinstance(value, list | tuple) and value and isinstance(value[0], UUID):
                yield list(value)
        for key in ("id", "task_id"):
            ids = [row[key] for row in self.rows if isinstance(row.get(key), UUID)]
            if ids and isinstance(self.statement, Insert):
                yield ids


class Listener:
    """Notes every statement of Core."""

    def __init__(self) -> None:
        self.said: list[Recorded] = []

    def __call__(
        self, _: Any, statement: ClauseElement, many: Any, one: Any, options: Any
    ) -> tuple[ClauseElement, Any, Any]:
        self.said.append(Recorded(statement, list(many) if many else [one] if one else []))
        return statement, many, one


def in_mysqls_words(statement: ClauseElement) -> ClauseElement:
    """What `insert_once` and `upsert` write on SQLite, as they write it on MySQL."""
    if not isinstance(statement, sqlite.Insert):
        return statement
    table = statement.table
    assert isinstance(table, Table)
    if table is tables.handlers:
        names = [column.name for column in table.columns if not column.primary_key]
        return MySQL().upsert(table, update=names)
    return MySQL().insert_once(table)

"""What a third dialect finds: statements and values that are nobody's but MySQL's stay MySQL's."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.dialects.mysql import asyncmy, mariadb
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine import Dialect as AlchemyDialect

from taskq_server.core import dialects
from taskq_server.core.dialects.base import ErrorKind
from taskq_server.core.dialects.compiled import compiled, is_one_of_ids
from taskq_server.core.dialects.mysql import MySQL
from taskq_server.core.dialects.sqlite import SQLite
from taskq_server.crud.tables import tasks
from tests.unit.server.factories import NOW

NAIVE = NOW.replace(tzinfo=None)
ID = UUID(int=0xA1)


@pytest.mark.parametrize(
    ("dialect", "marks", "time"),
    [
        (asyncmy.dialect(), ["%s", "%s"], "2026-10-05 12:00:00"),
        (mariadb.MariaDBDialect(), ["%s", "%s"], "2026-10-05 12:00:00"),
        (aiosqlite.dialect(), ["?", "?"], "2026-10-05 12:00:00.000000"),
        (asyncpg.dialect(), ["$1", "$2"], NAIVE),
    ],
)
def test_values_come_in_the_order_of_the_text_as_the_driver_takes_them(
    dialect: AlchemyDialect, marks: Sequence[str], time: object
) -> None:
    statement = select(tasks.c.id).where(
        tasks.c.worker_id == bindparam("of", type_=tasks.c.worker_id.type),
        tasks.c.run_at < bindparam("late", type_=tasks.c.run_at.type),
    )
    text = compiled(statement, dialect)
    places = [text.sql.index(mark, n * text.sql.index("<")) for n, mark in enumerate(marks)]
    assert places == sorted(places)
    assert text.values({"late": NOW, "of": ID}) == (ID.hex, time)


def test_rows_are_read_by_the_types_of_their_columns() -> None:
    text = compiled(select(tasks.c.id, tasks.c.title, tasks.c.run_at), asyncpg.dialect())
    rows = [(ID.hex, "a", None), (ID.hex, "b", NAIVE)]
    assert text.read(rows, tuple) == [(ID, "a", None), (ID, "b", NOW)]
    assert text.read([], tuple) == []


@pytest.mark.parametrize("dialect", dialects.ALL, ids=lambda one: one.name)
def test_ids_go_where_the_list_was_left_open(dialect: MySQL | SQLite) -> None:
    text = compiled(select(tasks.c.title).where(is_one_of_ids(tasks.c.id)), asyncpg.dialect())
    sql, values = dialect.with_ids(text.around_ids(), ["a1", "b2"], (1,))
    assert sql.endswith("tasks.id IN ('a1','b2')")
    assert values == (1,)


def test_mysql_alone_is_told_where_to_start() -> None:
    hinted = dialects.along_index(select(tasks.c.id), tasks, None)
    named = dialects.along_index(select(tasks.c.id), tasks, "ix")
    for dialect in (asyncmy.dialect(), mariadb.MariaDBDialect()):
        assert str(hinted.compile(dialect=dialect)).endswith("FORCE INDEX (PRIMARY)")
        assert str(named.compile(dialect=dialect)).endswith("FORCE INDEX (ix)")
    for other in (aiosqlite.dialect(), asyncpg.dialect()):
        assert "INDEX" not in str(hinted.compile(dialect=other))


@pytest.mark.parametrize("dialect", dialects.ALL, ids=lambda one: one.name)
def test_no_dialect_speaks_for_the_errors_of_others(dialect: MySQL | SQLite) -> None:
    assert dialect.kind_of(RuntimeError("23505: duplicate key")) is None
    assert dialect.kind_of(RuntimeError()) is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, ErrorKind.BROKEN),
        (1213, ErrorKind.CONFLICT),
        (1290, ErrorKind.REFUSAL),
        (1045, ErrorKind.DENIED),
        (2013, ErrorKind.AWAY),
        (1062, ErrorKind.DUPLICATE),
        (1064, ErrorKind.OTHER),
    ],
)
def test_mysql_numbers_its_errors(code: int, kind: ErrorKind) -> None:
    assert MySQL().kind_of(RuntimeError(code, "text")) is kind


def test_each_database_has_its_own_scheme() -> None:
    schemes = [dialect.scheme for dialect in dialects.ALL]
    assert sorted(schemes) == ["mysql+asyncmy://", "sqlite+aiosqlite://"]


@pytest.mark.parametrize("count", [1, 3])
def test_an_insert_has_a_parameter_for_each_column(count: int) -> None:
    names = [column.name for column in tasks.c][:count]
    text = compiled(insert(tasks), asyncpg.dialect(), column_keys=names)
    assert [bind.name for bind in text.binds] == names
    assert f"${count}" in text.sql

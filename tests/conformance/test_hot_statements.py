"""Statements on the driver: values go in, rows and counts come out, errors have a kind."""

from datetime import timedelta
from itertools import cycle
from operator import itemgetter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.core import dialects
from taskq_server.core.database import Database, Violation
from taskq_server.core.database_errors import is_conflict, is_duplicate, reason
from taskq_server.crud.prepared import BulkInsert, IdListStatement, UnionStatement, is_one_of_ids
from taskq_server.crud.tables import tags, tasks
from taskq_server.domain.task import Task
from tests.conformance.statements import a_tag, insert_tags, names, run
from tests.unit.server.factories import NOW, make_task, rows_of, store

ODD_TEXTS = ("", "it's", '"', "\\", "%", "%%", "%s", ":x", "$1", "?", "☃ ünï", "a\nb", "x" * 600)


async def test_rows_are_met_and_returned(database: Database) -> None:
    async def work(connection: AsyncConnection) -> tuple[Any, ...]:
        await insert_tags(connection, a_tag("a", 1), a_tag("b", 2), a_tag("c", 3))
        return (
            await run(connection, "UPDATE tags SET name = name WHERE id > :low", low=1),
            await run(connection, "SELECT id, name FROM tags WHERE id = :id", id=3),
            await run(connection, "SELECT id FROM tags WHERE id > :low", low=3),
        )

    met, found, nothing = await database.write(work)
    assert met.met == 2, "also those that are as they were"
    assert [tuple(row) for row in found.rows] == [(3, "c")]
    assert list(nothing.rows) == []


async def test_a_text_without_values_is_run_as_it_is(database: Database) -> None:
    found = await database.read(lambda c: dialects.of(c).execute(c, "SELECT '%', '%%', ':x'"))
    assert [tuple(row) for row in found.rows] == [("%", "%%", ":x")]


@pytest.mark.parametrize("rows", [1, 2, 2_000])
async def test_many_rows_are_inserted_with_any_text(database: Database, rows: int) -> None:
    new = [
        make_task(title=odd[:200], payload=f'"{odd}"')
        for odd, _ in zip(cycle(ODD_TEXTS), range(rows), strict=False)
    ]
    await store(database, *new)
    found = {row["id"]: (row["title"], row["payload"]) for row in await rows_of(database, tasks)}
    assert found == {task.id: (task.title, task.payload) for task in new}


async def test_a_refusal_is_sqlalchemys_and_rolls_back(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await insert_tags(connection, a_tag("one"))
        await insert_tags(connection, a_tag("two"))

    with pytest.raises(Violation) as caught:
        await database.write(work)
    assert is_duplicate(caught.value)
    assert not is_conflict(caught.value)
    assert await names(database) == []


async def test_a_log_quotes_no_value_of_a_row(database: Database) -> None:
    with pytest.raises(Violation) as caught:
        await database.write(lambda c: insert_tags(c, a_tag("S3CRET", 1), a_tag("S3CRET", 2)))
    assert "S3CRET" not in reason(caught.value)


@pytest.mark.parametrize("once", [True, False])
async def test_rows_that_are_there_are_left_out_once(database: Database, once: bool) -> None:
    statement, columns = BulkInsert(tags, once=once), ("id", "namespace", "name", "idle_since")
    await database.write(lambda c: insert_tags(c, a_tag("one", 1)))
    again = [(7, "default", "one", NOW), (3, "default", "three", None)]
    work = database.write(lambda c: statement(c, columns, again))
    if once:
        await work
        assert {r["name"]: r["id"] for r in await rows_of(database, tags)} == {"one": 1, "three": 3}
    else:
        with pytest.raises(Violation):
            await work


async def test_a_list_of_ids_finds_those_that_are_there(database: Database) -> None:
    some = [make_task(namespace="a"), make_task(namespace="b"), make_task(namespace="a")]
    await store(database, *some)
    find = IdListStatement(
        select(*(tasks.c[name] for name in Task._fields))
        .where(tasks.c.namespace == bindparam("of"), is_one_of_ids(tasks.c.id))
        .order_by(tasks.c.id),
        Task._make,
    )
    ids = [task.id for task in reversed(some)] * 2
    found = await database.read(lambda c: find(c, [*ids, UUID(int=5)], of="a"))
    assert found == [some[0], some[2]], "each once, as values of the domain"
    assert await database.read(lambda c: find(c, [], of="a")) == []


async def test_an_update_by_ids_tells_how_many_rows_it_met(database: Database) -> None:
    some = [make_task() for _ in range(3)]
    await store(database, *some)
    move = IdListStatement(
        update(tasks)
        .where(is_one_of_ids(tasks.c.id), tasks.c.version == bindparam("of_version"))
        .values(run_at=bindparam("to_run_at", type_=tasks.c.run_at.type)),
        tuple,
    )
    late = NOW + timedelta(microseconds=1)
    ids = [task.id for task in some[:2]]
    assert await database.write(lambda c: move.count(c, ids, of_version=1, to_run_at=late)) == 2
    assert await database.write(lambda c: move.count(c, ids, of_version=1, to_run_at=late)) == 2
    assert await database.write(lambda c: move.count(c, ids, of_version=9, to_run_at=None)) == 0
    found = {row["id"]: row["run_at"] for row in await rows_of(database, tasks)}
    assert found == {some[0].id: late, some[1].id: late, some[2].id: None}


@pytest.mark.parametrize("copies", [1, 2, 99, 250])
async def test_each_copy_of_a_select_has_its_own_values(database: Database, copies: int) -> None:
    await database.write(lambda c: insert_tags(c, *(a_tag(f"t{n}", n) for n in range(1, 5))))
    one = select(tags.c.name).where(tags.c.id >= bindparam("low"), tags.c.id <= bindparam("high"))
    first = one.order_by(tags.c.id).limit(bindparam("most"))
    ask = UnionStatement(select(first.subquery()), itemgetter(0))
    asked = [{"low": n % 4 + 1, "high": 4, "most": 2} for n in range(copies)]
    expected = [f"t{n}" for each in asked for n in range(each["low"], min(each["low"] + 2, 5))]
    found = await database.read(lambda c: ask(c, asked))
    assert sorted(found) == sorted(expected)
    assert await database.read(lambda c: ask(c, [])) == []


@pytest.mark.parametrize("index", [None, "ix_tasks_namespace_status_id"])
async def test_a_hint_changes_no_row(database: Database, index: str | None) -> None:
    some = [make_task() for _ in range(3)]
    await store(database, *some)
    plain = select(tasks.c.id).where(tasks.c.namespace == "default").order_by(tasks.c.id)
    hinted = dialects.along_index(plain, tasks, index)
    found = await database.read(lambda c: c.execute(hinted))
    assert list(found.scalars()) == [task.id for task in some]

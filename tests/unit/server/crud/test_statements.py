"""Every statement that crud emits, as MySQL 8 and MariaDB would get it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, insert
from sqlalchemy.dialects.mysql import asyncmy, mariadb
from sqlalchemy.engine import Dialect

from taskq_server.core.database import Database
from taskq_server.core.dialects.mysql import MySQL
from taskq_server.core.dialects.sqlite import SQLite
from taskq_server.crud import (
    claims,
    completions,
    counts,
    declarations,
    due,
    handler_use,
    handlers,
    hooks,
    in_use,
    keeps,
    listing,
    queues,
    tables,
    tags,
    tasks,
    unique_keys,
)
from taskq_server.crud.filters import Filter
from taskq_server.crud.prepared import BulkInsert, IdListStatement, UnionStatement
from taskq_server.crud.tasks import NewRow
from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome, Priority, Status
from tests.unit.server.crud.say_declared import say_declarations
from tests.unit.server.crud.say_history import say_history
from tests.unit.server.crud.say_leases import say_lease_statements
from tests.unit.server.crud.say_upkeep import (
    say_queue_statements,
    say_unique_statements,
)
from tests.unit.server.factories import NOW, WORKER, make_task, running, seconds
from tests.unit.server.factories import publish as publish_handlers
from tests.unit.server.recorded import Listener, Recorded
from tests.unit.server.rows import end_all

PREPARED = (
    claims, completions, counts, declarations, due, hooks, keeps, queues, tags, tasks, unique_keys,
)  # fmt: skip
LOCK_ONE = ("SELECT queues.", "SELECT namespaces.")


def prepared_statements() -> Iterator[Recorded]:
    """What `crud.prepared` compiles, which no listener of Core hears."""
    found = [value for module in PREPARED for value in vars(module).values()]
    for one in found:
        if isinstance(one, IdListStatement | UnionStatement):
            yield Recorded(one.statement, [])
        elif isinstance(one, BulkInsert):
            once = SQLite().insert_once(one.table)
            yield Recorded(once if one.once else insert(one.table), [])


def failed(n: int) -> Failure:
    return Failure(outcome=Outcome.FAILED, type="E", message="m", fatal=n % 2 == 0)


async def say_task_statements(database: Database) -> None:
    names = [("default", "b"), ("default", "a")]
    await database.write(lambda c: tags.add(c, names, NOW))
    ids = await database.read(lambda c: tags.find(c, names))
    new = [make_task() for _ in range(6)]
    rows = [
        NewRow(task, tuple(ids.values()), f"hash {n}" if n % 2 else None, "print")
        for n, task in enumerate(new)
    ]
    await database.write(lambda c: tasks.insert(c, rows[::-1]))
    wanted = [task.id for task in new][::-1]
    await database.read(lambda c: tasks.details(c, [("default", each) for each in wanted]))
    own = [(("default", each), key) for each in wanted for key in ("b", "a")]
    await database.read(lambda c: tasks.own_details(c, own))
    await database.read(lambda c: tasks.exists(c, "default", new[0].id))
    await database.write(lambda c: tasks.lock(c, wanted))
    await database.write(lambda c: tasks.lock(c, wanted, payload=False))
    await database.write(lambda c: tasks.write(c, new[0], new[0]._replace(title="t", score=None)))
    tag_ids = list(ids.values())[::-1]
    await database.write(lambda c: tasks.set_tags(c, new[0].id, tag_ids, NOW + seconds(99)))
    await database.read(lambda c: tags.counts(c, ["default"]))
    await database.write(lambda c: tasks.remove(c, new[::-1], NOW))
    ripe = await database.read(lambda c: tags.idle(c, before=NOW + seconds(100), limit=9))
    await database.write(lambda c: tags.forget(c, ripe, before=NOW + seconds(100), now=NOW))
    await say_names_in_use(database)
    await database.write(lambda c: counts.compact(c, limit=1, minute=0))
    await database.read(counts.everywhere)
    await publish_handlers(database, "b", "a")
    await database.read(lambda c: handlers.published(c, "default"))
    await database.read(lambda c: handlers.known_in(c, ["default", "n"]))
    await database.read(lambda c: handlers.names_in(c, ["default", "n"]))
    await database.read(lambda c: handlers.schema_of(c, "default", "a"))
    await database.write(
        lambda c: handler_use.see(c, ["n", "default"], ["b", "a"], now=NOW, unless_since=NOW)
    )
    await database.write(lambda c: handler_use.seen(c, lock=True))
    await database.read(handler_use.running)
    await database.read(lambda c: handler_use.has_waiting(c, "default", ["q", "r"], "a"))
    await database.write(lambda c: handler_use.forget(c, [("default", "b"), ("default", "a")]))


async def say_names_in_use(database: Database) -> None:
    for find, count in (
        (in_use.queues, in_use.other_queues),
        (in_use.named_tags, in_use.other_tags),
    ):
        await database.read(lambda c, find=find: find(c, "default", ["a"]))  # type: ignore[misc]
        await database.read(lambda c, count=count: count(c, "default", ["a"], 0, 9))  # type: ignore[misc]


async def say_worker_statements(database: Database) -> None:
    held = [running() for _ in range(8)]
    await database.write(lambda c: tasks.insert(c, [NewRow(task) for task in held]))
    ids = [task.id for task in held][::-1]
    await database.write(lambda c: claims.mark_claimed(c, held[::-1], worker_id=WORKER, now=NOW))
    progress = dict.fromkeys(ids, "{}")
    await database.write(lambda c: claims.set_progress(c, progress, NOW))
    fails = [
        lifecycle.fail(task, failed(n), backoff=Backoff(), random=lambda: 1.0, now=NOW)
        for n, task in enumerate(held[:4])
    ]
    rest = [lifecycle.release(task, now=NOW) for task in held[4:6]]
    rest += [lifecycle.succeed(task, result="1", now=NOW) for task in held[6:]]
    await end_all(database, (fails + rest)[::-1], hook_done_at=None)
    await say_history(database)
    for some in (["default"], ["default", "n"], ["*"]):
        await database.read(
            lambda c, some=some: hooks.pending_hooks(  # type: ignore[misc]
                c, namespaces=some, before=NOW + seconds(1), handlers=["taskq.echo"], limit=10
            )
        )
    keys = [(task.id, 1) for task in held[3::-1]]
    await database.write(lambda c: hooks.mark_hooks_done(c, keys, NOW))


async def say_list_statements(database: Database) -> None:
    every = Filter(
        namespace="default",
        statuses=(Status.QUEUED, Status.FAILED),
        priorities=(Priority.LOW, Priority.HIGH),
        handlers=("h", "i"),
        queues=("q",),
        error_type="ValueError",
        attempt_min=2,
        created_after=NOW,
        created_before=NOW,
        finished_after=NOW,
        finished_before=NOW,
        title_prefix="p",
        id_prefix="01a",
        after=UUID(int=5),
    )
    plain = Filter(namespace="default")
    wanted = [
        every,
        replace(every, tag_ids=(1, 2)),
        replace(every, statuses=()),
        plain,
        replace(plain, descending=False, queues=("q", "r")),
        replace(plain, priorities=(Priority.LOW, Priority.URGENT)),
        replace(plain, tag_ids=(1,), descending=False),
    ]
    for one in wanted:
        await database.read(lambda c, one=one: listing.page(c, one))  # type: ignore[misc]


@pytest.fixture
async def said(database: Database) -> list[Recorded]:
    listener = Listener()
    event.listen(database.engine.sync_engine, "before_execute", listener, retval=True)
    await say_everything(database)
    return [*listener.said, *prepared_statements()]


async def say_everything(database: Database) -> None:
    await say_task_statements(database)
    await say_worker_statements(database)
    await say_lease_statements(database)
    await say_declarations(database)
    await say_queue_statements(database)
    await say_unique_statements(database)
    await say_list_statements(database)


def mysql_8() -> Dialect:
    dialect = asyncmy.dialect()
    dialect.server_version_info = (8, 0, 18)
    return dialect


def mysql_8_4() -> Dialect:
    dialect = asyncmy.dialect()
    dialect.server_version_info = (8, 4, 0)
    return dialect


def mariadb_10_11() -> Dialect:
    dialect = mariadb.loader("asyncmy")()
    dialect.server_version_info = (10, 11, 0)
    assert dialect.is_mariadb
    return dialect


FORBIDDEN = [
    r"\bRETURNING\b",
    r"\bJSON_TABLE\b",
    r"\bAS new\b",
    r"\bSKIP LOCKED\b",
    r"^UPDATE .*\bFROM\b.*\bSET\b",
    r"^WITH\b",
]


@pytest.mark.parametrize("dialect", [mysql_8, mariadb_10_11])
async def test_no_statement_uses_what_one_of_the_databases_lacks(
    said: list[Recorded], dialect: Any
) -> None:
    for one in said:
        sql = one.sql(dialect())
        for pattern in FORBIDDEN:
            assert not re.search(pattern, sql, re.IGNORECASE), sql


async def test_nothing_returns_rows_of_an_insert_on_any_mysql(said: list[Recorded]) -> None:
    for one in said:
        assert "RETURNING" not in one.sql(mysql_8_4())


async def test_all_of_crud_was_heard(said: list[Recorded]) -> None:
    heard = [one.sql(mysql_8()) for one in said]
    assert len(heard) > 40
    for start in (
        "INSERT INTO tasks",
        "INSERT INTO task_attempts",
        "INSERT INTO task_tags",
        "INSERT INTO tags",
        "INSERT INTO handlers",
        "INSERT INTO workers",
        "INSERT INTO task_counts",
        "INSERT INTO task_minutes",
        "UPDATE tasks SET",
        "UPDATE workers SET",
        "UPDATE task_attempts SET",
        "DELETE FROM tasks",
        "DELETE FROM task_attempts",
        "DELETE FROM task_tags",
        "INSERT INTO task_keeps",
        "UPDATE task_keeps SET",
        "DELETE FROM task_keeps",
        "INSERT INTO unique_keys",
        "DELETE FROM unique_keys",
        "INSERT INTO task_unique_keys",
        "DELETE FROM task_unique_keys",
        "UPDATE handlers SET",
        "DELETE FROM handlers",
        "INSERT INTO declarations",
        "UPDATE declarations SET",
        "DELETE FROM declarations",
        "DELETE FROM workers",
        "DELETE FROM task_counts",
        "DELETE FROM task_minutes",
        "UPDATE tags SET",
        "DELETE FROM tags",
        "SELECT",
    ):
        assert any(sql.startswith(start) for sql in heard), start


async def test_rows_are_locked_for_update_in_the_order_of_their_ids(said: list[Recorded]) -> None:
    locking = [one.sql(mysql_8()) for one in said if "FOR UPDATE" in one.sql(mysql_8())]
    whole = [sql for sql in locking if not sql.startswith(LOCK_ONE)]
    assert len(whole) == 13
    keys = (
        r"(tasks\.id|tags\.id|handlers\.namespace, handlers\.name"
        r"|declarations\.namespace, declarations\.handler, declarations\.digest"
        r"|unique_keys\.namespace, unique_keys\.hash)"
    )
    assert all(re.search(rf"ORDER BY {keys} FOR UPDATE$", sql) for sql in whole)
    assert len(locking) - len(whole) == 3, "a pause locks a row of its queue or namespace"


async def test_a_claim_locks_the_row_of_its_queue_shared(said: list[Recorded]) -> None:
    shared = {one.sql(mysql_8()) for one in said if "SHARE" in one.sql(mysql_8())}
    (claim,) = (sql for sql in shared if sql.startswith("SELECT tasks."))
    assert claim.count("LOCK IN SHARE MODE)") == 2
    assert "LOCK IN SHARE MODE), " in claim, (
        "the row of the queue is read within that of its namespace"
    )
    assert re.search(r"FROM namespaces WHERE namespaces\.name = tasks\.namespace LOCK", claim)
    assert re.search(r"AND queues\.name = tasks\.queue LOCK", claim)


async def test_what_takes_locks_names_its_ids_in_order(said: list[Recorded]) -> None:
    lists = [(one, ids) for one in said if one.locks for ids in one.id_lists()]
    assert sum(len(ids) > 1 for _, ids in lists) >= 3
    for one, ids in lists:
        assert ids == sorted(ids), one.sql(mysql_8())


async def test_prepared_statements_name_their_ids_in_order(database: Database) -> None:
    lists: list[list[str]] = []

    def note(_: Any, __: Any, sql: str, values: Any, *___: Any) -> None:
        lists.extend(found.split("','") for found in re.findall(r"IN \('([0-9a-f',]+)'\)", sql))
        if re.match(r"INSERT INTO (tasks|task_attempts) ", sql):
            lists.append([row[0] for row in values])

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    await say_everything(database)
    assert sum(len(ids) > 1 for ids in lists) >= 8
    assert all(ids == sorted(ids) for ids in lists)


async def test_no_update_reads_a_column_that_it_has_set_before(said: list[Recorded]) -> None:
    """MySQL sets from left to right."""
    updates = [one.sql(mysql_8()) for one in said if one.sql(mysql_8()).startswith("UPDATE tasks")]
    assert updates
    for sql in updates:
        assignments = sql.partition(" SET ")[2].rpartition(" WHERE ")[0]
        done: set[str] = set()
        for part in re.split(r", (?=[a-z_.]+=)", assignments):
            column, _, value = part.partition("=")
            read = set(re.findall(r"\btasks\.(\w+)", value))
            assert not read & done, sql
            done.add(column.strip().removeprefix("tasks."))


async def test_insert_once_and_upsert_in_mysqls_words() -> None:
    once = Recorded(MySQL().insert_once(tables.tasks), [{"id": UUID(int=1)}]).sql(mysql_8())
    assert once.endswith("ON DUPLICATE KEY UPDATE id = tasks.id")
    words = MySQL().upsert(tables.handlers, update=["description"])
    upsert = Recorded(words, [{"namespace": "n", "name": "a"}]).sql(mysql_8())
    assert upsert.endswith("ON DUPLICATE KEY UPDATE description = VALUES(description)")

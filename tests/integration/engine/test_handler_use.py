"""A published handler goes when nobody uses it any more, and comes back with its worker."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from taskq_server import migrations
from taskq_server.core.database import Database
from taskq_server.crud import declarations, handler_use, schedules, workers
from taskq_server.crud import handlers as published
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.crud.tables import handlers
from taskq_server.domain.declarations import Declaration
from taskq_server.domain.task import Status
from taskq_server.domain.worker import WorkerRow
from taskq_server.services.declared import Declared
from taskq_server.services.handler_use import UNSEEN, HandlerUse, HandlerUses
from taskq_server.services.publishing import Publishing
from tests.support.schedules import make_schedule
from tests.unit.server.factories import (
    ANYTHING,
    NOW,
    WORKER,
    make_task,
    publish,
    running,
    seconds,
    store,
)

LATER = NOW + UNSEEN + seconds(1)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, connect_seconds=20.0)
    await migrations.upgrade(database)
    yield database
    await database.close()


def own(name: str) -> PublishedHandler:
    return PublishedHandler(
        name=name, description="", payload_schema=ANYTHING, max_retries=3, timeout_seconds=1.0
    )


async def live(
    database: Database,
    until: datetime,
    namespaces: str = '["default"]',
    worker_id: UUID = WORKER,
) -> None:
    row = WorkerRow(
        id=worker_id,
        name="n",
        queues="[]",
        handlers='["a"]',
        namespaces=namespaces,
        concurrency=1,
        started_at=NOW,
        heartbeat_at=NOW,
        lease_until=until,
    )
    await database.write(lambda c: workers.register(c, row))


def key(use: HandlerUse) -> tuple[str, str]:
    return use.namespace, use.name


async def reasons(database: Database, now: datetime = LATER) -> dict[tuple[str, str], str]:
    return {key(each): each.kept_for for each in await HandlerUses(database, lambda: now).all()}


async def test_it_goes_a_while_after_it_was_seen_last(database: Database) -> None:
    await publish(database, "a", "b")
    assert set((await reasons(database, NOW + UNSEEN - seconds(1))).values()) == {"recent use"}
    assert set((await reasons(database)).values()) == {""}
    uses = HandlerUses(database, lambda: LATER)
    gone = await uses.prune({("default", "a"), ("other", "b")})
    assert [key(each) for each in gone] == [("default", "a")]
    assert await reasons(database) == {("default", "b"): ""}


async def test_a_live_worker_keeps_it(database: Database) -> None:
    await publish(database, "a", "b")
    await publish(database, "a", namespace="other")
    await live(database, LATER + seconds(9))
    found = await reasons(database)
    assert found == {
        ("default", "a"): "live workers",
        ("default", "b"): "",
        ("other", "a"): "",
    }


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RETRYING, Status.RUNNING])
@pytest.mark.parametrize("namespace", ["default", "*"])
async def test_a_task_that_is_not_final_keeps_it(
    database: Database, status: Status, namespace: str
) -> None:
    await publish(database, "a", "b", namespace=namespace)
    await publish(database, "a", namespace="elsewhere")
    task = running(handler="a", queue="q") if status is Status.RUNNING else None
    await store(
        database,
        task or make_task(status, handler="a", queue="q", run_at=LATER + timedelta(days=9)),
        make_task(Status.FAILED, handler="b", queue="q"),
        make_task(handler="c", queue="q"),
    )
    assert await reasons(database) == {
        (namespace, "a"): "tasks",
        (namespace, "b"): "",
        ("elsewhere", "a"): "",
    }
    asked = {(namespace, "a"), (namespace, "b")}
    gone = await HandlerUses(database, lambda: LATER).prune(asked)
    assert [each.name for each in gone] == ["b"]


async def test_a_schedule_keeps_it(database: Database) -> None:
    await publish(database, "a", "b")
    await publish(database, "a", namespace="other")
    await publish(database, "a", namespace="*")
    await database.write(lambda c: schedules.put(c, make_schedule(handler="a")))
    assert await reasons(database) == {
        ("*", "a"): "schedules",
        ("default", "a"): "schedules",
        ("default", "b"): "",
        ("other", "a"): "",
    }
    asked = {("default", "a"), ("default", "b")}
    gone = await HandlerUses(database, lambda: LATER).prune(asked)
    assert [each.name for each in gone] == ["b"]


async def test_a_worker_says_once_a_day_that_it_has_it(database: Database) -> None:
    now = NOW
    publishing = Publishing(database, lambda: now, ["default"], [own("a")])
    await live(database, NOW + timedelta(days=90))
    await publishing.start(WORKER)
    await publish(database, "b")

    async def seen() -> dict[str, datetime]:
        return {one.name: one.at for one in await database.read(handler_use.seen)}

    assert (await seen())["a"] == NOW
    await publishing.keep(WORKER)
    now = NOW + timedelta(hours=23)
    await publishing.keep(WORKER)
    assert (await seen())["a"] == NOW
    now = NOW + timedelta(hours=25)
    await publishing.keep(WORKER)
    assert await seen() == {"a": now, "b": NOW}


async def test_a_handler_that_comes_back_is_published_again(database: Database) -> None:
    await publish(database, "a")
    await HandlerUses(database, lambda: LATER).prune({("default", "a")})
    assert await database.read(lambda c: published.published(c, "default")) == []
    publishing = Publishing(database, lambda: LATER, ["default"], [own("a")])
    await live(database, LATER + seconds(9))
    await publishing.start(WORKER)
    (again,) = await database.read(lambda c: published.published(c, "default"))
    assert again == own("a")


async def declare(
    database: Database, namespaces: Sequence[str], where: str | None, number: int
) -> None:
    """Let a worker publish `a`, with a schedule for a namespace or without one, and end."""
    await live(database, NOW + seconds(9), json.dumps(namespaces), UUID(int=number))
    said = {} if where is None else {"a": (where, Declaration("@daily", None, "UTC"))}
    publishing = Publishing(database, lambda: NOW, namespaces, [own("a")], Declared(said))
    await publishing.start(UUID(int=number))
    await database.write(
        lambda c: workers.unregister(c, UUID(int=number), lease_until=NOW - seconds(1))
    )


async def declared_in(database: Database) -> list[str]:
    """The namespaces in which `a` has a schedule."""
    names = ("default", "b")
    found = [await database.read(lambda c, n=n: schedules.get(c, n, "code:a")) for n in names]
    return [one.namespace for one in found if one is not None]


async def test_what_code_declared_goes_with_its_handler(database: Database) -> None:
    await declare(database, ["*"], "b", 1)
    await declare(database, ["default"], "default", 2)
    assert await declared_in(database) == ["default", "b"]
    assert await reasons(database) == {("default", "a"): "", ("*", "a"): ""}
    uses = HandlerUses(database, lambda: LATER)
    await uses.prune({("default", "a")})
    assert await declared_in(database) == ["default", "b"], "workers of all namespaces have it"
    await uses.prune({("*", "a")})
    assert await declared_in(database) == []
    assert await database.read(lambda c: declarations.known(c, ["a"], None)) == []


async def test_only_what_code_declared_of_that_handler_goes(database: Database) -> None:
    await declare(database, ["default"], "default", 1)
    await declare(database, ["b"], "b", 2)
    await HandlerUses(database, lambda: LATER).prune({("default", "a")})
    assert await declared_in(database) == ["b"]


async def test_rows_of_older_versions_were_seen_when_they_were_published(
    database: Database,
) -> None:
    await publish(database, "a")
    await database.write(lambda c: c.execute(update(handlers).values(seen_at=None)))
    (one,) = await database.read(handler_use.seen)
    assert one.at == NOW

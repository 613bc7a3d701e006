"""`taskq-server check` finds who may call, and work that nobody does."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from taskq_server import migrations
from taskq_server.core.database import Database
from taskq_server.crud import api_keys
from taskq_server.crud.tables import api_keys as key_table
from taskq_server.crud.tables import workers
from taskq_server.domain.keys import new_token
from taskq_server.domain.task import Status
from taskq_server.services.admin_key import as_key
from tests.support.namespaces import make_namespaces
from tests.support.patients import add_worker, opened, wrong_in
from tests.unit.server.factories import make_task, publish, store

ALL = {"host": "0.0.0.0"}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of each kind, without a worker and without a key."""
    async with opened(database_url) as database:
        await migrations.upgrade(database)
        yield database


@pytest.mark.parametrize(
    ("settings", "without_key", "with_key"),
    [
        ({}, set(), set()),
        (ALL, {"keys"}, set()),
        ({"auth": "required"}, {"keys"}, set()),
        ({"uds": "api.sock"}, {"keys"}, set()),
        ({"uds": "api.sock", "auth": "off"}, set(), set()),
        ({"trusted_proxies": "127.0.0.1"}, {"keys"}, set()),
        ({"auth": "off"}, set(), set()),
        ({**ALL, "auth": "off"}, {"exposure"}, {"exposure"}),
        ({**ALL, "insecure_no_auth": True}, {"exposure"}, {"exposure"}),
        ({**ALL, "admin_key_file": Path("key")}, set(), set()),
    ],
)
async def test_who_may_call(
    database: Database,
    database_url: str,
    settings: dict[str, Any],
    without_key: set[str],
    with_key: set[str],
) -> None:
    await add_worker(database)
    assert set(await wrong_in(database_url, **settings)) == without_key
    now = await database.now()
    await database.write(lambda c: api_keys.add(c, as_key(new_token(), now)))
    assert set(await wrong_in(database_url, **settings)) == with_key


@pytest.mark.parametrize("column", ["expires_at", "revoked_at"])
async def test_keys_of_which_none_opens(database: Database, database_url: str, column: str) -> None:
    await add_worker(database)
    now = await database.now()
    await database.write(lambda c: api_keys.add(c, as_key(new_token(), now)))
    over = {column: now - timedelta(seconds=1)}
    await database.write(lambda c: c.execute(update(key_table).values(over)))
    found = await wrong_in(database_url)
    assert set(found) == {"keys"}
    assert "nobody may call" in found["keys"]


async def test_workers_that_are_gone(database: Database, database_url: str) -> None:
    assert set(await wrong_in(database_url)) == {"workers"}
    await add_worker(database, lease=timedelta(seconds=-1))
    assert set(await wrong_in(database_url)) == {"workers"}
    await add_worker(database)
    assert await wrong_in(database_url) == {}


async def test_handlers_without_a_live_worker(database: Database, database_url: str) -> None:
    await make_namespaces(database, "eu", "us")
    await publish(database, "mail.send", "mail.gone")
    await publish(database, "report.build", namespace="eu")
    await publish(database, "of.all", namespace="*")
    await add_worker(database, handlers=["mail.send", "report.build"])
    await add_worker(database, handlers=["mail.gone"], namespaces=["us"])
    found = await wrong_in(database_url)
    assert set(found) == {"handlers"}
    for missed in ("mail.gone", "report.build (in namespace eu)", "of.all (in every namespace)"):
        assert missed in found["handlers"]
    assert "mail.send" not in found["handlers"]
    await add_worker(database, handlers=["mail.gone", "report.build", "of.all"], namespaces=["*"])
    assert await wrong_in(database_url) == {}


async def test_a_worker_of_an_older_version_serves_all_namespaces(
    database: Database, database_url: str
) -> None:
    await make_namespaces(database, "eu")
    await publish(database, "report.build", namespace="eu")
    await add_worker(database, handlers=["report.build"])
    assert set(await wrong_in(database_url)) == {"handlers"}
    await database.write(lambda c: c.execute(update(workers).values(namespaces=None)))
    assert await wrong_in(database_url) == {}


async def test_queues_with_tasks_and_no_worker(database: Database, database_url: str) -> None:
    await make_namespaces(database, "eu")
    await add_worker(database, queues=["default", "fast"])
    await store(
        database,
        make_task(queue="fast"),
        make_task(queue="slow"),
        make_task(Status.RETRYING, queue="later", run_at=await database.now()),
        make_task(Status.CANCELLED, queue="over", finished_at=await database.now()),
        make_task(queue="fast", namespace="eu"),
    )
    found = await wrong_in(database_url)
    assert set(found) == {"queues"}
    assert "later, slow" in found["queues"].replace("fast (in namespace eu), ", "")
    assert "fast (in namespace eu)" in found["queues"]
    assert "over" not in found["queues"]
    await add_worker(database, queues=["slow", "later", "fast"], namespaces=["*"])
    assert await wrong_in(database_url) == {}


async def test_names_beyond_the_first_five_are_counted(
    database: Database, database_url: str
) -> None:
    await add_worker(database)
    await publish(database, *(f"h{number:02}" for number in range(12)))
    said = (await wrong_in(database_url))["handlers"]
    assert "h04 and 7 more" in said
    assert "h05" not in said


async def test_retention_that_is_behind(database: Database, database_url: str) -> None:
    await add_worker(database)
    now = await database.now()
    await store(database, make_task(Status.SUCCEEDED, finished_at=now - timedelta(days=3)))
    assert await wrong_in(database_url) == {}
    assert await wrong_in(database_url, retention_days=2.9999) == {}  # the janitors are at it
    found = await wrong_in(database_url, retention_days=2)
    assert set(found) == {"retention"}
    assert "should have been deleted 1 days ago" in found["retention"]
    assert await wrong_in(database_url, retention_days=9, retention_days_failed=3) == {}


async def test_a_namespace_that_was_never_made(database: Database, database_url: str) -> None:
    await add_worker(database)
    await make_namespaces(database, "europe")
    assert await wrong_in(database_url, namespaces="europe,default") == {}
    found = await wrong_in(database_url, namespace="eurpe")
    assert (
        "TASKQ_NAMESPACE: there is no namespace eurpe: did you mean europe?" in found["namespaces"]
    )
    assert "TASKQ_NAMESPACES" in (await wrong_in(database_url, namespaces="xx"))["namespaces"]

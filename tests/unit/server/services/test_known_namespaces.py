"""Which namespaces there are, and what is in them."""

import pytest
from sqlalchemy import event

from taskq_server.core.config import Settings
from taskq_server.core.database import Database
from taskq_server.domain.errors import ConfigurationError, InvalidFields
from taskq_server.domain.task import Status
from taskq_server.runtime import open_runtime
from taskq_server.services.namespaces import Namespaces
from tests.unit.server.factories import make_task, store


@pytest.fixture
async def namespaces(database: Database) -> Namespaces:
    return Namespaces(database)


async def test_there_is_default_until_another_is_made(namespaces: Namespaces) -> None:
    assert await namespaces.names() == ("default",)
    assert await namespaces.create("rockets")
    assert not await namespaces.create("rockets")
    assert await namespaces.names() == ("default", "rockets")


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "*", "a\x1b[2J", "x" * 65, "a\N{ZERO WIDTH SPACE}"]
)
async def test_no_namespace_has_such_a_name(namespaces: Namespaces, name: str) -> None:
    with pytest.raises(InvalidFields, match="cannot be a namespace"):
        await namespaces.create(name)


async def test_an_unknown_one_is_refused_with_the_nearest(namespaces: Namespaces) -> None:
    await namespaces.create("reports")
    await namespaces.require("reports", "/namespace")
    with pytest.raises(InvalidFields, match=r"no namespace reprots: did you mean reports\?") as no:
        await namespaces.require("reprots", "/namespace")
    assert [(one.pointer, one.code) for one in no.value.errors] == [
        ("/namespace", "unknown-namespace")
    ]
    with pytest.raises(InvalidFields, match=r"no namespace x: there are default, reports$"):
        await namespaces.require("x", "/namespace")


async def test_names_are_read_twice_a_second_at_most_and_a_new_one_at_once(
    database: Database,
) -> None:
    at = 0.0
    namespaces = Namespaces(database, lambda: at)
    said: list[str] = []
    event.listen(database.engine.sync_engine, "before_execute", lambda *a: said.append(str(a[1])))
    for _ in range(5):
        assert await namespaces.names() == ("default",)
    assert len(said) == 1
    await Namespaces(database).create("new")
    assert await namespaces.names() == ("default",)
    await namespaces.require("new", "/namespace")
    at = 1.0
    said.clear()
    assert "new" in await namespaces.names()
    assert len(said) == 1


async def test_the_use_is_that_of_the_ledger(database: Database, namespaces: Namespaces) -> None:
    await namespaces.create("busy")
    tasks = [make_task(namespace="busy", queue=f"q{n % 3}") for n in range(7)]
    await store(database, *tasks, make_task(Status.SUCCEEDED))
    assert [(one.name, one.tasks, one.queues) for one in await namespaces.use()] == [
        ("busy", 7, 3),
        ("default", 1, 1),
    ]


@pytest.mark.parametrize("setting", ["namespace", "namespaces"])
async def test_settings_that_name_no_namespace_are_refused(url: str, setting: str) -> None:
    settings = Settings.load(database_url=url, **{setting: "defualt"})
    with pytest.raises(
        ConfigurationError, match=rf"^TASKQ_{setting.upper()}: .*did you mean default\?"
    ):
        async with open_runtime(settings):
            raise AssertionError("it opens")


async def test_what_the_settings_name_is_not_known_while_the_database_is_away() -> None:
    away = Settings.load(database_url="mysql+asyncmy://x:y@127.0.0.1:1/z", namespace="defualt")
    async with open_runtime(away):
        pass

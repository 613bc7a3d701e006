"""What services know of namespaces: nothing but what their callers say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import taskq_server
from taskq_server.core.database import Database
from taskq_server.core.turns import Turns
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import UnknownHandler
from taskq_server.services import catalog as catalogs
from taskq_server.services.catalog import Catalog
from tests.unit.server.factories import publish
from tests.unit.server.fake_clock import FakeClock

ROOT = Path(taskq_server.__file__).parent
# A worker's part: its handlers are published in its own namespaces. And a probe writes to some name
# in Redis: it serves no caller.
MAY_KEEP_ONE = {"publishing.py", "readiness.py"}


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield file, ast.parse(file.read_text())


def is_namespace(node: ast.AST) -> bool:
    named = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return named.strip("_") == "namespace"


def test_only_sql_compares_namespaces() -> None:
    """What is compared anywhere else can be forgotten there."""
    found = [
        f"{file.name}:{node.lineno}"
        for file, tree in sources("api", "services", "broker", "handlers", "schemas")
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)
        and any(is_namespace(one) for one in (node.left, *node.comparators))
    ]
    assert found == []


def test_no_service_keeps_a_namespace() -> None:
    found = [
        f"{file.name}:{node.lineno}"
        for file, tree in sources("services")
        for node in ast.walk(tree)
        if file.name not in MAY_KEEP_ONE
        and isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "settings")
        and is_namespace(node)
    ]
    assert found == []


@pytest.fixture
def catalog(database: Database) -> Catalog:
    clock = FakeClock()
    return Catalog(database, clock, Turns(), monotonic=lambda: clock().timestamp())


async def test_handlers_of_two_namespaces_are_remembered_apart(
    database: Database, catalog: Catalog
) -> None:
    await publish(database, "build", max_retries=1, namespace="a")
    await publish(database, "build", "test", max_retries=2, namespace="b")
    for _ in range(2):
        for of, retries in (("a", 1), ("b", 2)):
            known = await catalog.require(Caller(of), "build")
            assert known.handler.max_retries == retries
    with pytest.raises(UnknownHandler):
        await catalog.require(Caller("a"), "test")
    assert await catalog.names(Caller("a")) == ("build",)
    assert await catalog.names(Caller("b")) == ("build", "test")


async def test_the_handlers_of_so_many_namespaces_are_remembered(
    database: Database, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogs, "_MOST_NAMESPACES", 2)
    for of in ("a", "b", "c"):
        await publish(database, "build", max_retries=1, namespace=of)
        await catalog.require(Caller(of), "build")
        await publish(database, "build", max_retries=2, namespace=of)
    found = {
        of: (await catalog.require(Caller(of), "build")).handler.max_retries
        for of in ("b", "c", "a")
    }
    assert found == {"b": 1, "c": 1, "a": 2}, "only that of a was forgotten, and read again"


async def test_a_worker_of_all_namespaces_lends_its_handlers_to_each(
    database: Database, catalog: Catalog
) -> None:
    await publish(database, "build", "test", max_retries=1, namespace="*")
    await publish(database, "build", max_retries=2, namespace="a")
    for of, retries in (("a", 2), ("b", 1), ("c", 1)):
        assert await catalog.names(Caller(of)) == ("build", "test")
        known = await catalog.require(Caller(of), "build")
        assert known.handler.max_retries == retries
        listed = {one.name: one.max_retries for one in await catalog.handlers(Caller(of))}
        assert listed == {"build": retries, "test": 1}
    shared = [(await catalog.require(Caller(of), "test")).schema for of in "abc"]
    assert shared[0] is shared[1] is shared[2], "its schema is compiled once"

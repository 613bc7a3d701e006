"""Published handlers, and tags by name."""

from taskq_server.core.database import Database
from taskq_server.crud import handlers, tags
from tests.unit.server.factories import make_tags, make_task, publish, store


async def test_published_handlers_are_listed_by_name(database: Database) -> None:
    await publish(database, "b", "a", schema='{"x":1}', max_retries=5, timeout_seconds=7.5)
    found = await database.read(lambda c: handlers.published(c, "default"))
    assert [one.name for one in found] == ["a", "b"]
    assert (found[0].description, found[0].payload_schema) == ("about a", '{"x":1}')
    assert (found[0].max_retries, found[0].timeout_seconds) == (5, 7.5)


async def test_publishing_again_renews_and_keeps_the_others(database: Database) -> None:
    await publish(database, "a", "b", max_retries=1)
    await publish(database, "b", "c", max_retries=2, schema='{"new":1}')
    found = await database.read(lambda c: handlers.published(c, "default"))
    assert [(one.name, one.max_retries) for one in found] == [("a", 1), ("b", 2), ("c", 2)]
    assert found[1].payload_schema == '{"new":1}'


async def test_handlers_belong_to_a_namespace(database: Database) -> None:
    await publish(database, "a", namespace="theirs")
    assert await database.read(lambda c: handlers.published(c, "default")) == []


async def test_a_namespace_has_its_own_handlers_and_those_of_all(database: Database) -> None:
    await publish(database, "b", "a", max_retries=1, namespace="*")
    await publish(database, "c", "b", max_retries=2, namespace="mine")
    found = await database.read(lambda c: handlers.known_in(c, ["mine", "theirs"]))
    assert {of: [(one.name, one.max_retries) for one in those] for of, those in found.items()} == {
        "mine": [("a", 1), ("b", 2), ("c", 2)],
        "theirs": [("a", 1), ("b", 1)],
    }
    assert await database.read(lambda c: handlers.published(c, "theirs")) == []


async def test_the_schema_of_a_handler_is_the_namespaces_own_if_it_has_one(
    database: Database,
) -> None:
    await publish(database, "a", schema='{"of":"all"}', namespace="*")
    await publish(database, "a", schema='{"of":"mine"}', namespace="mine")
    for of, expected in (("mine", '{"of":"mine"}'), ("theirs", '{"of":"all"}')):
        assert await database.read(lambda c, of=of: handlers.schema_of(c, of, "a")) == expected  # type: ignore[misc]
    assert await database.read(lambda c: handlers.schema_of(c, "mine", "b")) is None


async def test_tags_are_made_once(database: Database) -> None:
    first = await make_tags(database, "a", "b")
    again = await make_tags(database, "b", "c", "b")
    assert again["b"] == first["b"]
    assert len({*first.values(), *again.values()}) == 3


async def test_tags_are_found_by_their_exact_name(database: Database) -> None:
    await make_tags(database, "Tag", "täg")
    wanted = [("default", name) for name in ("tag", "Tag", "Tag ", "täg", "tag")]
    found = await database.read(lambda c: tags.find(c, wanted))
    assert set(found) == {("default", "Tag"), ("default", "täg")}


async def test_tags_belong_to_a_namespace(database: Database) -> None:
    mine = await make_tags(database, "a")
    theirs = await make_tags(database, "a", namespace="theirs")
    assert mine["a"] != theirs["a"]
    wanted = [(of, "a") for of in ("theirs", "nobody", "default")]
    found = await database.read(lambda c: tags.find(c, wanted))
    assert found == {("default", "a"): mine["a"], ("theirs", "a"): theirs["a"]}


async def test_counts_name_the_tags_in_use(database: Database) -> None:
    ids = await make_tags(database, "b", "a", "unused")
    one, two = make_task(), make_task()
    await store(database, one, two, tagged={one.id: [ids["a"], ids["b"]], two.id: [ids["b"]]})
    counted = await database.read(lambda c: tags.counts(c, ["default", "theirs"]))
    assert counted == {"default": [("a", 1), ("b", 2)], "theirs": []}

"""Doorbells of many queues, popped in one call of a script."""

from collections.abc import AsyncIterator, Mapping

import pytest

from taskq_server.broker.connection import Redis, connect
from taskq_server.broker.names import Names
from taskq_server.domain.task import Queue
from taskq_server.worker.popping import Popped, Popping
from taskq_server.worker.queue_limits import NO_LIMITS, QueueLimits

NAMES = Names("taskq", "d1")
MANY = [f"n{number:03}" for number in range(200)]


def keys(queue: Queue) -> tuple[str, str]:
    return NAMES.queue(*queue), NAMES.aside(*queue)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose(close_connection_pool=True)


async def ring(redis: Redis, bells: Mapping[Queue, range], *, aside: bool = False) -> None:
    for queue, scores in bells.items():
        members = {f"{queue.namespace}/{queue.name}/{n}": n for n in scores}
        await redis.zadd(keys(queue)[1 if aside else 0], members)


async def pop(
    redis: Redis,
    namespaces: list[str],
    *queues: str,
    room: int = 100,
    threads: int = 0,
    limits: QueueLimits = NO_LIMITS,
) -> Popped:
    popping = Popping(redis, queues or ("default",), keys, limits=limits)
    return await popping(namespaces, now_ms=1_000, room=room, threads=threads)


def counted(popped: Popped) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in (one for _, ids in popped.ids for one in ids):
        of = one.decode().rpartition("/")[0]
        found[of] = found.get(of, 0) + 1
    return found


async def test_a_million_of_one_leave_room_for_the_few_of_others(redis: Redis) -> None:
    await ring(redis, {Queue("n100", "default"): range(900)})
    await ring(redis, {Queue(name, "default"): range(2) for name in ("n050", "n150", "n199")})
    popped = await pop(redis, MANY, room=40)
    assert counted(popped) == {
        "n100/default": 34, "n050/default": 2, "n150/default": 2, "n199/default": 2,
    }  # fmt: skip
    assert set(popped.gave) == {"n050", "n100", "n150", "n199"}
    assert popped.more == ["n100"]
    assert popped.next_at is None


@pytest.mark.parametrize("room", [1, 2, 3])
async def test_with_little_room_the_first_go_first(redis: Redis, room: int) -> None:
    await ring(redis, {Queue(name, "default"): range(5) for name in ("b", "a", "c")})
    popped = await pop(redis, ["b", "a", "c"], room=room)
    assert list(counted(popped)) == [f"{name}/default" for name in "bac"[:room]]
    assert sorted(popped.more) == ["a", "b", "c"]


async def test_an_important_queue_of_any_namespace_is_emptied_first(redis: Redis) -> None:
    await ring(redis, {Queue("b", "first"): range(7), Queue("a", "second"): range(5)})
    popped = await pop(redis, ["a", "b"], "first", "second", room=9)
    assert counted(popped) == {"b/first": 7, "a/second": 2}
    assert popped.more == ["a"]


async def test_the_next_is_the_earliest_of_all_that_are_not_due(redis: Redis) -> None:
    await ring(redis, {Queue("a", "default"): range(1_500, 1_501)})
    await ring(redis, {Queue("b", "default"): range(1_200, 1_202)})
    popped = await pop(redis, ["a", "b", "c"])
    assert popped == ([(None, [])], [], 1_200, [], [])
    await ring(redis, {Queue("c", "default"): range(999, 1_002)})
    popped = await pop(redis, ["a", "b", "c"])
    assert counted(popped) == {"c/default": 2}
    assert popped.next_at == 1_001


async def test_threads_are_shared_by_all(redis: Redis) -> None:
    """Doorbells aside are for free threads, of which there are two."""
    await ring(redis, {Queue(name, "default"): range(3) for name in "ab"}, aside=True)
    popped = await pop(redis, ["a", "b"], room=10, threads=2)
    assert popped.total == len(popped.aside) == 2
    assert counted(await pop(redis, ["a", "b"], room=10, threads=0)) == {}
    assert len((await pop(redis, ["a", "b"], room=10, threads=9)).aside) == 4


async def commands(redis: Redis, namespaces: list[str], threads: int) -> int:
    """How many commands Redis carries out for one look, those of the script included."""
    await pop(redis, namespaces, threads=threads)  # loads the script
    await redis.config_resetstat()
    await pop(redis, namespaces, threads=threads)
    stats = await redis.info("commandstats")
    return sum(stat["calls"] for name, stat in stats.items() if "config" not in name)


@pytest.mark.parametrize("threads", [0, 8])
async def test_a_look_at_200_idle_namespaces_costs_as_many_commands_as_one(
    redis: Redis, threads: int
) -> None:
    one, many = await commands(redis, ["n000"], threads), await commands(redis, MANY, threads)
    assert many <= one + 1


async def test_paused_queues_are_left_alone(redis: Redis) -> None:
    bells = {Queue(of, name): range(2) for of in ("a", "b") for name in ("first", "second")}
    await ring(redis, bells)
    await ring(redis, {Queue("a", "first"): range(2, 4)}, aside=True)
    paused = {Queue("a", "first"), Queue("b", "second")}
    popping = Popping(redis, ("first", "second"), keys, paused=paused)
    popped = await popping(["a", "b"], now_ms=1_000, room=100, threads=5)
    assert counted(popped) == {"b/first": 2, "a/second": 2}
    paused.clear()
    popped = await popping(["a", "b"], now_ms=1_000, room=100, threads=5)
    assert counted(popped) == {"a/first": 4, "b/second": 2}

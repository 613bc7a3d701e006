"""Declared schedules on a real database: which is in force while workers come and go."""

import json
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from taskq_server.crud import declarations, workers
from taskq_server.domain.schedule import Schedule
from taskq_server.runtime import Runtime
from taskq_server.services.declared import Declared
from taskq_server.services.publishing import Publishing
from tests.support.declaring import LEASE, OWN, A, B, C, Fleet
from tests.unit.server.factories import seconds


@pytest.fixture
def fleet(runtime: Runtime) -> Fleet:
    return Fleet(runtime)


def the(schedule: Schedule | None) -> Schedule:
    assert schedule is not None
    return schedule


async def test_a_declared_schedule_is_there_once_its_worker_publishes(fleet: Fleet) -> None:
    await fleet.start(A)
    found = the(await fleet.schedule())
    now = fleet.runtime.clock()
    assert (found.handler, json.loads(found.task)) == ("h", {"handler": "h", "payload": {}})
    assert (found.declaration, found.key_id, found.version) == (A.digest, None, 1)
    assert (found.overlap, found.catch_up, found.catch_up_seconds) == ("skip", "last", 86_400)
    assert found.next_fire_at == found.due_at
    assert isinstance(found.due_at, datetime)
    assert now < found.due_at <= now + seconds(25 * 3600)


async def test_three_releases_are_rolled_forward_and_back(fleet: Fleet) -> None:
    releases = {"one": None, "two": A, "three": B}
    one = await fleet.start(releases["one"])
    assert await fleet.in_force() is None
    two = await fleet.start(releases["two"])
    assert await fleet.in_force() == A
    await fleet.end(one)
    one = await fleet.start(releases["one"])
    await fleet.sweep()
    assert await fleet.in_force() == A, "the restart of an old worker changes nothing"
    three = await fleet.start(releases["three"])
    assert await fleet.in_force() == B
    await fleet.end(two)
    two = await fleet.start(releases["two"])
    await fleet.sweep()
    assert await fleet.in_force() == B
    await fleet.end(three)
    assert await fleet.in_force() == B
    await fleet.sweep()
    assert await fleet.in_force() == A, "rolled back"
    await fleet.end(two)
    await fleet.sweep()
    assert await fleet.in_force() is None, "rolled back further"
    await fleet.end(one)
    await fleet.start(releases["three"])
    await fleet.sweep()
    assert await fleet.in_force() == B


async def test_without_a_worker_the_last_one_stays(fleet: Fleet) -> None:
    await fleet.end(await fleet.start(A))
    await fleet.sweep()
    before = await fleet.schedule()
    assert await fleet.in_force() == A
    await fleet.start(A)
    await fleet.sweep()
    assert await fleet.schedule() == before, "and is the same, with what it has missed"


async def test_a_removed_decorator_ends_it_at_the_first_start(fleet: Fleet) -> None:
    old = await fleet.start(A)
    await fleet.start(None)
    assert await fleet.in_force() is None
    await fleet.end(old)
    await fleet.start(A)
    await fleet.sweep()
    assert await fleet.in_force() is None


async def test_a_change_of_times_keeps_what_is_known(fleet: Fleet) -> None:
    await fleet.start(A)
    task_id = UUID(int=7)
    before = replace(the(await fleet.schedule()), fired=3, last_task_id=task_id, missed=1)
    await fleet.write(before)
    await fleet.start(C)
    after = the(await fleet.schedule())
    assert (after.id, after.fired, after.missed) == (before.id, 3, 1)
    assert (after.last_task_id, after.version) == (task_id, before.version + 1)
    assert after.next_fire_at != before.next_fire_at
    assert (after.next_fire_at, after.created_at) == (after.due_at, before.created_at)


async def test_a_pause_survives_deploys(fleet: Fleet) -> None:
    a = await fleet.start(A)
    paused = {"paused_at": fleet.runtime.clock(), "note": "why", "last_task_id": UUID(int=7)}
    found = the(await fleet.schedule())
    await fleet.write(replace(found, **paused, next_fire_at=None, due_at=None))
    c = await fleet.start(C)
    none = await fleet.start(None)
    assert await fleet.in_force() is None
    await fleet.end(none)
    await fleet.sweep()
    assert await fleet.in_force() == C
    again = the(await fleet.schedule())
    assert {name: getattr(again, name) for name in paused} == paused
    assert (again.next_fire_at, again.due_at) == (None, None)
    await fleet.write(replace(again, paused_at=None, note=None))
    await fleet.end(c)
    await fleet.sweep()
    assert the(await fleet.schedule()).paused_at is None, "what was kept is kept once"
    assert await fleet.in_force() == A
    await fleet.end(a)


async def test_after_an_outage_the_newer_release_has_a_lease_to_come_back(fleet: Fleet) -> None:
    await fleet.start(A)
    newer = await fleet.start(B)
    await fleet.end(newer)
    await fleet.janitor.sweep()
    fleet.seconds += LEASE - 0.1
    await fleet.start(A)
    await fleet.janitor.sweep()
    assert await fleet.in_force() == B, "nor does an older worker that starts take it back"
    newer = await fleet.start(B)
    await fleet.janitor.sweep()
    await fleet.end(newer)
    fleet.seconds += 0.2
    await fleet.janitor.sweep()
    assert await fleet.in_force() == B, "the lease counts anew"
    fleet.seconds += LEASE + 16
    await fleet.janitor.sweep()
    assert await fleet.in_force() == B, "a janitor that did not look counts anew, too"
    fleet.seconds += LEASE
    await fleet.janitor.sweep()
    assert await fleet.in_force() == A


async def test_a_worker_that_says_nothing_of_schedules_changes_nothing(fleet: Fleet) -> None:
    a = await fleet.start(A)
    older = await fleet.register("default")
    await fleet.runtime.database.write(
        lambda c: workers.set_handlers(c, older, '{"h": ["digest"]}')
    )
    await fleet.end(a)
    await fleet.sweep()
    assert await fleet.in_force() == A


async def test_each_namespace_has_its_own(fleet: Fleet) -> None:
    everywhere = await fleet.start(None, "*")
    await fleet.start(A, "a")
    of_c = await fleet.start(B, "b", "c", namespace="c")
    assert [await fleet.in_force(name) for name in "abc"] == [A, None, B]
    await fleet.end(everywhere)
    everywhere = await fleet.start(None, "*")
    await fleet.sweep()
    assert [await fleet.in_force(name) for name in "abc"] == [A, None, B]
    moved = await fleet.start(B, "b", "c", namespace="b")
    await fleet.end(of_c)
    await fleet.sweep()
    assert [await fleet.in_force(name) for name in "abc"] == [A, B, None]
    of_all = await fleet.start(C, "*", namespace="c")
    assert [await fleet.in_force(name) for name in "abc"] == [A, B, C]
    await fleet.end(of_all)
    await fleet.end(moved)
    await fleet.sweep()
    assert [await fleet.in_force(name) for name in "abc"] == [A, None, None]


async def test_a_lost_lease_loses_no_declaration(fleet: Fleet) -> None:
    publishing = Publishing(
        fleet.runtime.database,
        fleet.runtime.clock,
        ["default"],
        [OWN],
        Declared({"h": ("default", A)}),
    )
    worker_id = await fleet.register("default")
    await publishing.start(worker_id)
    await fleet.start(None)
    await fleet.end(worker_id)
    worker_id = await fleet.register("default")
    await publishing.keep(worker_id)
    (row,) = [
        one
        for one in await fleet.runtime.database.read(
            lambda c: declarations.live(c, fleet.runtime.clock())
        )
        if one.id == worker_id
    ]
    assert row.declarations == publishing.declarations == json.dumps({"h": ["default", A.digest]})

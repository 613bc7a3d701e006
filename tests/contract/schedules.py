"""What an application does with schedules."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from taskq_client import (
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    UnknownHandler,
    ValidationFailed,
)

pytestmark = pytest.mark.anyio

YEARS = datetime(2090, 1, 1, tzinfo=UTC)
ECHO = ("taskq.echo", {"value": 1})


@pytest.fixture
async def name(client: Any) -> AsyncIterator[str]:
    """The name of a schedule of this test alone, which is gone afterwards."""
    made = f"test-{uuid4().hex}"
    yield made
    for left in [each async for each in client.schedules.list() if each.name.startswith(made)]:
        await client.schedules.delete(left.name)


async def test_a_schedule_is_set_once_and_replaced(client: Any, name: str) -> None:
    said = {"cron": "0 6 * * *", "timezone": "Europe/Berlin", "tags": ["b", "a"]}
    made = await client.schedules.set(name, *ECHO, **said)
    assert (made.name, made.cron, made.timezone) == (name, "0 6 * * *", "Europe/Berlin")
    assert (made.overlap, made.catch_up, made.catch_up_seconds) == ("skip", "last", 86_400)
    assert (made.task.handler, made.task.payload) == ECHO
    assert (made.task.queue, made.paused, made.declared, made.version) == (None, False, False, 1)
    assert made.next_fire_at > made.created_at
    assert await client.schedules.set(name, *ECHO, **said) == made
    assert await client.schedules.get(name) == made
    other = await client.schedules.set(name, *ECHO, every_seconds=timedelta(hours=2))
    assert (other.version, other.cron, other.every_seconds) == (2, None, 7200)
    assert other.next_fire_at == other.created_at + timedelta(hours=2)


async def test_a_schedule_is_changed_field_by_field(client: Any, name: str) -> None:
    made = await client.schedules.set(
        name, "taskq.echo", {"value": {"a": 1, "b": 2}}, every_seconds=3600, queue="mails", note="n"
    )
    changed = await client.schedules.update(
        name, if_match=made.version, payload={"value": {"a": None, "c": 3}}, queue=None, note=None
    )
    assert changed.task.payload == {"value": {"b": 2, "c": 3}}
    assert (changed.task.queue, changed.note, changed.every_seconds) == (None, None, 3600)
    assert changed.next_fire_at == made.next_fire_at, "its times are the same"
    with pytest.raises(PreconditionFailed):
        await client.schedules.update(name, if_match=made.version, overlap="allow")
    with pytest.raises(PreconditionFailed):
        await client.schedules.set(name, *ECHO, every_seconds=60, if_match=made.version)
    by_cron = await client.schedules.update(name, cron="@daily", every_seconds=None)
    assert (by_cron.cron, by_cron.every_seconds) == ("@daily", None)


async def test_a_fire_is_a_task_that_knows_its_schedule(client: Any, name: str) -> None:
    made = await client.schedules.set(
        name, *ECHO, cron="@yearly", title="T", tags=["fired"], starts_at=YEARS, paused=True
    )
    assert (made.paused, made.next_fire_at) == (True, None)
    task = await client.schedules.fire(name)
    assert (task.title, task.tags, task.schedule.name) == ("T", ["fired"], name)
    assert (await client.wait(task, timeout=180)).result == 1
    after = await client.schedules.get(name)
    assert (after.fired, after.last_task_id, after.version) == (1, task.id, made.version)
    assert (after.next_fire_at, after.last_error) == (None, None)
    listed = [each async for each in client.list(schedule=name)]
    assert [(each.id, each.schedule) for each in listed] == [(task.id, task.schedule)]
    count = await client.bulk("delete", schedule=name, dry_run=True)
    assert count.count == 1
    await client.schedules.delete(name)
    assert (await client.get(task)).schedule == task.schedule
    assert [each.id async for each in client.list(schedule=name)] == [task.id]


async def test_a_schedule_is_paused_and_resumed(client: Any, name: str) -> None:
    made = await client.schedules.set(name, *ECHO, cron="@yearly")
    paused = await client.schedules.pause(name, note="why")
    assert (paused.paused, paused.note, paused.next_fire_at) == (True, "why", None)
    assert (await client.schedules.pause(name)).paused_at == paused.paused_at
    assert [each.name async for each in client.schedules.list(paused=True)].count(name) == 1
    again = await client.schedules.set(name, *ECHO, cron="@yearly", priority="high")
    assert (again.paused, again.note) == (True, "why"), "a set leaves a pause alone"
    resumed = await client.schedules.resume(name)
    assert (resumed.paused, resumed.paused_at, resumed.note) == (False, None, None)
    assert resumed.next_fire_at == made.next_fire_at


async def test_schedules_are_listed_by_name(client: Any, name: str) -> None:
    for end in ("b", "a", "C"):
        await client.schedules.set(f"{name}.{end}", *ECHO, cron="@yearly")
    await client.schedules.set(f"{name}.d", "tests.add", {"a": 1, "b": 2}, cron="@yearly")
    found = [each.name async for each in client.schedules.list(handler="taskq.echo")]
    mine = [each.removeprefix(f"{name}.") for each in found if each.startswith(name)]
    assert mine == ["C", "a", "b"]


async def test_times_are_looked_at_before_anything_is_stored(client: Any) -> None:
    spring = datetime(2027, 3, 27, tzinfo=UTC)
    found = await client.schedules.preview(
        cron="30 2 * * *", timezone="Europe/Berlin", starts_at=spring, count=3
    )
    assert [f"{at:%d %H:%M}" for at in found.times] == ["27 01:30", "28 01:00", "29 00:30"]
    assert found.text == "At 02:30 every day"
    ends = spring + timedelta(minutes=2)
    every = await client.schedules.preview(every_seconds=60, starts_at=spring, ends_at=ends)
    assert every.times == [spring + timedelta(minutes=number) for number in range(3)]


async def test_what_cannot_be_is_refused(client: Any, name: str) -> None:
    async def refused(kind: type[ValidationFailed], *task: Any, **options: Any) -> Any:
        with pytest.raises(kind) as caught:
            await client.schedules.set(name, *(task or ECHO), **options)
        return caught.value.code, [each.pointer for each in caught.value.errors]

    assert await refused(ValidationFailed, cron="61 * * * *") == ("invalid-schedule", ["/cron"])
    assert await refused(ValidationFailed) == ("invalid-schedule", ["/cron"])
    both = await refused(ValidationFailed, cron="@daily", every_seconds=60)
    assert both == ("invalid-schedule", ["/every_seconds"])
    where = await refused(ValidationFailed, cron="@daily", timezone="Europe/Berli")
    assert where == ("unknown-timezone", ["/timezone"])
    nobody = await refused(UnknownHandler, "nobody.has.this", cron="@daily")
    assert nobody == ("unknown-handler", ["/task/handler"])
    wrong = await refused(ValidationFailed, "taskq.sleep", {"seconds": -1}, cron="@daily")
    assert wrong == ("invalid-payload", ["/task/payload/seconds"])
    with pytest.raises(ValidationFailed):
        await client.schedules.set("no name", *ECHO, cron="@daily")
    with pytest.raises(InvalidRequest):
        await client.schedules.set("preview", *ECHO, cron="@daily")
    for call in ("get", "update", "pause", "resume", "fire", "delete"):
        with pytest.raises(NotFound, match="no schedule"):
            await getattr(client.schedules, call)(name)

"""Schedules of the fake: they fire as its time passes."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from taskq_client import PermissionDenied, Schedule, TaskqClient, UniqueConflict
from taskq_client.testing import FakeTaskq, Step

START = datetime(2026, 10, 24, tzinfo=UTC)
HOUR, DAY = 3_600, 86_400


@pytest.fixture
def fake() -> FakeTaskq:
    """A fake at a day before clocks are moved in Berlin, with a handler that takes its time."""
    taskq = FakeTaskq(clock=lambda: START)
    taskq.on("reports.build", Step(seconds=90 * 60))
    return taskq


def fired(fake: FakeTaskq) -> list[str]:
    """The times at which schedules have fired."""
    return [f"{task.schedule.fire_at:%d %H:%M}" for task in fake.tasks if task.schedule]


def hourly(client: TaskqClient, **options: Any) -> Schedule:
    return client.schedules.set(
        "s", "reports.build", every_seconds=HOUR, timeout_seconds=DAY, **options
    )


def test_time_that_is_skipped_comes_to_each_time(fake: FakeTaskq) -> None:
    with fake.client() as client:
        client.schedules.set("n", "taskq.echo", {"value": 1}, cron="0 6 * * *",
                             timezone="Europe/Berlin")  # fmt: skip
        fake.advance(3 * DAY)
        assert fired(fake) == ["24 04:00", "25 05:00", "26 05:00"]
        found = client.schedules.get("n")
    assert (found.fired, found.version) == (3, 1)
    assert found.next_fire_at == datetime(2026, 10, 27, 5, tzinfo=UTC)
    assert found.last_task_id == fake.tasks[-1].id


def test_a_wait_for_another_task_fires_on_its_way(fake: FakeTaskq) -> None:
    with fake.client() as client:
        client.schedules.set("n", "taskq.echo", {"value": 1}, every_seconds=60)
        client.run("taskq.sleep", {"seconds": 200}, timeout=300)
        assert fired(fake) == ["24 00:01", "24 00:02", "24 00:03"]


def test_it_skips_times_while_its_last_task_runs(fake: FakeTaskq) -> None:
    with fake.client() as client:
        hourly(client)
        fake.advance(5.5 * HOUR)
        assert fired(fake) == ["24 01:00", "24 03:00", "24 05:00"]
        found = client.schedules.get("s")
        assert (found.fired, found.skipped) == (3, 2)


def test_one_time_waits_for_the_end_of_the_last_task(fake: FakeTaskq) -> None:
    with fake.client() as client:
        hourly(client, overlap="queue")
        fake.advance(5.25 * HOUR)
        # 1:00 runs to 2:30, 2:00 waits for it and runs to 4:00, 3:00 waits, and 4:00 after it
        assert fired(fake)[:3] == ["24 01:00", "24 02:00", "24 03:00"]
        assert [f"{task.created_at:%H:%M}" for task in fake.tasks][:3] == [
            "01:00",
            "02:30",
            "04:00",
        ]


def test_tasks_may_run_side_by_side(fake: FakeTaskq) -> None:
    with fake.client() as client:
        hourly(client, overlap="allow")
        fake.advance(3.25 * HOUR)
        assert fired(fake) == ["24 01:00", "24 02:00", "24 03:00"]
        assert [task.status for task in fake.tasks] == ["succeeded", "running", "running"]


def test_the_last_task_is_cancelled_for_the_next(fake: FakeTaskq) -> None:
    with fake.client() as client:
        hourly(client, overlap="cancel")
        fake.advance(3.25 * HOUR)
        assert fired(fake) == ["24 01:00", "24 02:00", "24 03:00"]
        assert [task.status for task in fake.tasks] == ["cancelled", "cancelled", "running"]


def test_a_pause_is_kept_and_its_times_are_gone(fake: FakeTaskq) -> None:
    with fake.client() as client:
        hourly(client, overlap="allow")
        fake.advance(1.5 * HOUR)
        client.schedules.pause("s")
        fake.advance(3 * HOUR)
        client.schedules.resume("s")
        fake.advance(HOUR)
        assert fired(fake) == ["24 01:00", "24 05:00"]


def test_it_begins_and_ends(fake: FakeTaskq) -> None:
    first = START + timedelta(minutes=10)
    with fake.client() as client:
        hourly(client, overlap="allow", starts_at=first, ends_at=first + timedelta(hours=1))
        fake.advance(DAY)
        assert fired(fake) == ["24 00:10", "24 01:10"]
        assert client.schedules.get("s").next_fire_at is None


def test_a_task_that_would_be_refused_is_missed_and_says_why(fake: FakeTaskq) -> None:
    key = fake.make_key("tasks:read", "tasks:operate", "tasks:run:*")
    narrow = fake.make_key("tasks:read", "tasks:operate", "tasks:run:taskq.*")
    with fake.client(api_key=key) as client, fake.client(api_key=narrow) as other:
        hourly(client)
        with pytest.raises(PermissionDenied) as refused:
            other.schedules.fire("s")
        assert refused.value.missing_scopes == ("tasks:run:reports.build",)
        with pytest.raises(PermissionDenied):
            other.schedules.set("t", "reports.build", every_seconds=60)
        del fake._store.scripts["reports.build"]
        fake.advance(HOUR)
        found = client.schedules.get("s")
    assert (found.fired, found.missed) == (0, 1)
    assert "no worker has published" in str(found.last_error)


def test_a_task_that_has_the_unique_key_stands_for_others(fake: FakeTaskq) -> None:
    with fake.client() as client:
        hourly(client, overlap="allow", unique_key="one")
        fake.advance(2.25 * HOUR)
        assert fired(fake) == ["24 01:00"]
        found = client.schedules.get("s")
        assert (found.fired, found.skipped, found.missed) == (1, 1, 0)
        with pytest.raises(UniqueConflict) as caught:
            client.schedules.fire("s")
        assert caught.value.task_id == fake.tasks[0].id
        client.schedules.update("s", on_conflict="reject")
        fake.advance(1.5 * HOUR)  # 3:00 fires, because the first task has ended at 2:30
        fake.advance(HOUR / 2)
        found = client.schedules.get("s")
        assert (found.fired, found.skipped, found.missed) == (2, 1, 1)
        assert "the unique key is held" in str(found.last_error)


def test_a_deleted_schedule_fires_no_more(fake: FakeTaskq) -> None:
    with fake.client() as client:
        hourly(client, overlap="allow")
        fake.advance(1.5 * HOUR)
        client.schedules.delete("s")
        fake.advance(DAY)
        assert fired(fake) == ["24 01:00"]
        assert [task.id for task in client.list(schedule="s")] == [fake.tasks[0].id]


def test_without_cronsim_a_sentence_says_what_to_install(
    fake: FakeTaskq, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with fake.client() as client:
        hourly(client)
        with pytest.raises(ImportError, match=r"install 'taskq-client\[testing\]'"):
            client.schedules.set("n", "taskq.echo", {"value": 1}, cron="@daily")

"""Which times of a schedule fire, and which are skipped or missed."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain import firing, times
from taskq_server.domain.firing import Look
from taskq_server.domain.schedule import CatchUp, Overlap, Schedule
from tests.support.schedules import NOON, make_schedule

A, B, C = (NOON + timedelta(minutes=n) for n in (1, 2, 3))
LATER = NOON + timedelta(minutes=4)


def settled(
    overlap: Overlap,
    *moments: datetime,
    busy: bool,
    queued: datetime | None = None,
    room: int | None = None,
    refusal: str | None = None,
) -> tuple[list[datetime], Schedule]:
    made = make_schedule(overlap=overlap, queued_fire_at=queued)
    found = Look(moments, 0, LATER)
    done = firing.settle(made, found, is_busy=busy, now=C, room=room, refusal=refusal)
    return list(done.fire), done.schedule


@pytest.mark.parametrize(
    ("overlap", "busy", "queued", "fire", "waits", "skipped"),
    [
        (Overlap.ALLOW, True, None, [A, B, C], None, 0),
        (Overlap.SKIP, False, None, [A], None, 2),
        (Overlap.SKIP, True, None, [], None, 3),
        (Overlap.QUEUE, False, None, [A], C, 1),
        (Overlap.QUEUE, True, None, [], C, 2),
        (Overlap.QUEUE, True, NOON, [], C, 3),
        (Overlap.QUEUE, False, NOON, [NOON], C, 2),
        (Overlap.CANCEL, False, None, [C], None, 2),
        (Overlap.CANCEL, True, None, [], C, 2),
        (Overlap.CANCEL, True, NOON, [], C, 3),
        (Overlap.CANCEL, False, NOON, [C], None, 3),
    ],
)
def test_times_that_come_together_are_as_if_one_came_after_the_other(
    overlap: Overlap,
    busy: bool,
    queued: datetime | None,
    fire: list[datetime],
    waits: datetime | None,
    skipped: int,
) -> None:
    fired, after = settled(overlap, A, B, C, busy=busy, queued=queued)
    assert (fired, after.queued_fire_at, after.skipped) == (fire, waits, skipped)
    assert (after.fired, after.missed, after.next_fire_at) == (len(fire), 0, LATER)


@given(
    st.sampled_from(Overlap),
    st.integers(0, 3),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 3),
    st.none() | st.just("why"),
)
def test_each_time_is_counted_once(
    overlap: Overlap,
    number: int,
    busy: bool,
    has_queued: bool,
    room: int | None,
    refusal: str | None,
) -> None:
    queued = NOON if has_queued else None
    moments = (A, B, C)[:number]
    fired, after = settled(overlap, *moments, busy=busy, queued=queued, room=room, refusal=refusal)
    counted = after.fired + after.skipped + after.missed + (after.queued_fire_at is not None)
    assert counted == number + has_queued
    assert len(fired) == after.fired
    assert fired == sorted(fired)
    assert not busy or not fired or overlap is Overlap.ALLOW
    assert refusal is None or not fired
    assert room is None or len(fired) <= room


def test_who_waits_for_the_last_task_is_looked_at_more_and_more_rarely() -> None:
    made = make_schedule(overlap=Overlap.QUEUE, queued_fire_at=NOON, next_fire_at=LATER)
    pauses = []
    for waited in (0, 60, 100, 500):
        now = NOON + timedelta(seconds=waited)
        after = firing.settle(made, Look((), 0, None), is_busy=True, now=now).schedule
        assert after.due_at is not None
        pauses.append((after.due_at - now).total_seconds())
    assert pauses == [1, 3, 5, 10]


def test_room_is_for_the_newest_times() -> None:
    fired, after = settled(Overlap.ALLOW, A, B, C, busy=True, room=1)
    assert (fired, after.missed) == ([C], 2)
    assert after.last_error is not None


def test_the_last_time_never_goes_back() -> None:
    made = make_schedule(overlap=Overlap.ALLOW, last_fire_at=C)
    after = firing.settle(made, Look((A,), 0, B), is_busy=False, now=C).schedule
    assert after.last_fire_at == C


@given(
    st.sampled_from(CatchUp),
    st.integers(1, 400),
    st.floats(0, 3_000),
    st.floats(0, 4_000),
    st.floats(0, 600),
)
def test_a_look_leaves_no_time_out_and_looks_at_none_twice(
    catch_up: CatchUp, pause: int, window: float, late: float, jitter: float
) -> None:
    made = make_schedule(
        every_seconds=float(pause),
        catch_up=catch_up,
        catch_up_seconds=window,
        jitter_seconds=jitter,
    )
    assert made.due_at is not None
    now = made.due_at + timedelta(seconds=late)
    found = firing.look(made, now)
    assert found.following is not None
    came = (found.following - NOON) / timedelta(seconds=pause) - 1
    assert len(found.times) + found.missed == came >= 1
    assert list(found.times) == sorted(set(found.times))
    assert all(made.fires_at(each) <= now for each in found.times)
    assert made.fires_at(found.following) > now
    on_time = [
        each
        for n in range(1, round(came) + 1)
        if made.fires_at(each := NOON + timedelta(seconds=n * pause)) >= now - firing.ON_TIME
    ]
    assert set(on_time) <= set(found.times), "what is on time is never missed"
    if catch_up is CatchUp.NONE:
        assert set(found.times) == set(on_time)
    if catch_up is CatchUp.LAST:
        assert len(found.times) <= max(1, len(on_time))


def test_times_of_a_zone_that_is_gone_are_put_off() -> None:
    made = replace(make_schedule(), timezone="Nowhere/At_All")
    with pytest.raises(ValueError, match="Nowhere/At_All"):
        firing.look(made, B)
    after = firing.put_off(made, "e" * 600, NOON)
    assert after.due_at == NOON + timedelta(minutes=1)
    assert after.last_error == "e" * 500


def test_fired_by_hand_keeps_what_is_next() -> None:
    made = make_schedule(last_error="e")
    after = firing.fired_by_hand(made, B, UUID(int=7))
    assert (after.fired, after.last_fire_at, after.last_error) == (1, B, None)
    assert (after.next_fire_at, after.due_at) == (made.next_fire_at, made.due_at)


def test_a_schedule_that_ended_has_nothing_due() -> None:
    made = make_schedule(ends_at=A)
    found = firing.look(made, A)
    assert found == Look((A,), 0, None)
    assert firing.settle(made, found, is_busy=False, now=A).schedule.due_at is None
    assert times.next_after(made.timing, A) is None

"""Ids that sort by time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain.ids import IdSource, Mark, first_id_of, ids_with, is_marked
from tests.unit.server.factories import NOW, seconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 221_845_392_000_000_000).map(lambda n: EPOCH + timedelta(microseconds=n))


def milliseconds(value: UUID) -> int:
    return value.int >> 80


def test_an_id_is_a_uuid_of_version_7() -> None:
    value = IdSource()(NOW)
    assert value.version == 7
    assert value.variant == "specified in RFC 4122"
    assert milliseconds(value) == int(NOW.timestamp() * 1000)


@given(MOMENTS)
def test_every_id_carries_its_millisecond(moment: datetime) -> None:
    value = IdSource()(moment)
    assert (value.version, milliseconds(value)) == (7, int(moment.timestamp() * 1000))
    assert value >= first_id_of(moment)
    assert value < first_id_of(moment + timedelta(milliseconds=2))


@given(st.uuids(), st.integers(1, 36))
def test_an_id_lies_between_those_with_its_beginning(value: UUID, length: int) -> None:
    first, last = ids_with(str(value)[:length])
    assert first <= value <= last
    assert str(first)[:length] == str(last)[:length] == str(value)[:length]
    assert length != 36 or first == last


def test_ids_of_one_millisecond_keep_their_order() -> None:
    source = IdSource()
    made = [source(NOW) for _ in range(5_000)]
    assert made == sorted(set(made))


@given(st.lists(st.integers(-3_600_000, 3_600_000), min_size=2, max_size=50))
def test_ids_only_grow_whatever_the_clock_does(steps: list[int]) -> None:
    source = IdSource()
    made = [source(NOW + timedelta(milliseconds=step)) for step in steps]
    assert made == sorted(set(made))


def test_an_id_says_which_side_tables_may_have_rows_about_its_task() -> None:
    source = IdSource()
    kinds = [Mark(0), Mark.SCHEDULED, Mark.UNIQUE, Mark.SCHEDULED | Mark.UNIQUE] * 100
    made = [source(NOW, marks) for marks in kinds]
    assert [{mark for mark in Mark if is_marked(one, mark)} for one in made] == [
        set(marks) for marks in kinds
    ]
    assert made == sorted(set(made))
    assert {one.version for one in made} == {7}


def test_later_times_give_later_ids_in_other_processes_too() -> None:
    assert IdSource()(NOW) < IdSource()(NOW + seconds(0.001)) < IdSource()(NOW + seconds(60))


def test_two_sources_do_not_meet() -> None:
    assert len({IdSource()(NOW) for _ in range(1_000)}) == 1_000


def test_threads_share_a_source() -> None:
    source = IdSource()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(source, [NOW] * 4_000))
    assert len(set(made)) == 4_000


def test_the_first_id_of_a_moment_before_1970_is_the_first_of_all() -> None:
    before = datetime(1960, 1, 1, tzinfo=UTC)
    assert first_id_of(before) == first_id_of(EPOCH)
    assert first_id_of(before).version == 7


def test_no_id_is_kept() -> None:
    known = len(Mark._value2member_map_)
    made = [IdSource()(NOW, marks) for marks in (Mark(0), Mark.SCHEDULED, Mark.UNIQUE) * 10]
    assert {type(one.int) for one in made} == {int}
    assert len(Mark._value2member_map_) == known

"""One clock for all processes."""

from datetime import UTC, datetime, timedelta

from taskq_server.core.clock import Clock
from tests.unit.server.factories import NOW, seconds


class Ticks:
    """A monotonic source that is moved by hand."""

    def __init__(self) -> None:
        self.value = 100.0

    def __call__(self) -> float:
        return self.value


def test_it_goes_on_from_where_it_was_set() -> None:
    ticks = Ticks()
    clock = Clock(NOW, ticks)
    assert clock() == NOW
    ticks.value += 2.5
    assert clock() == NOW + seconds(2.5)


def test_it_follows_the_database() -> None:
    ticks = Ticks()
    clock = Clock(NOW, ticks)
    ticks.value += 10
    clock.sync(NOW + seconds(7))
    assert clock() == NOW + seconds(7)
    ticks.value += 1
    assert clock() == NOW + seconds(8)


def test_an_answer_that_was_long_under_way_was_true_halfway() -> None:
    ticks = Ticks()
    clock = Clock(NOW, ticks)
    asked = clock.monotonic()
    ticks.value += 4
    clock.sync(NOW + seconds(10), asked)
    assert clock() == NOW + seconds(12)


def test_without_a_start_it_shows_the_machines_time_as_aware_utc() -> None:
    shown = Clock()()
    assert abs(shown - datetime.now(UTC)) < timedelta(seconds=5)
    assert shown.utcoffset() == timedelta(0)

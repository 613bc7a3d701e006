"""One clock for all processes: what it says of the database's time, and what it never says."""

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.core.clock import Clock
from taskq_server.domain.errors import DatabaseUnavailable
from tests.unit.server.factories import NOW, seconds

DRIFT = 200e-6
OFTEN = 5.0
ROUNDED = seconds(20e-6)
MOVED = "the database's clock moved by"


class World:
    """A machine and a database, each with a clock; time passes by hand.

    Args:
        drift: how many seconds the database's clock gains in a second of the machine's.
    """

    def __init__(self, drift: float = 0.0) -> None:
        self.drift = drift
        self.ticks = 100.0
        self._since = 0.0
        self.clock = Clock(monotonic=lambda: self.ticks)

    @property
    def database(self) -> datetime:
        """What the database's clock shows."""
        return NOW + seconds(self._since)

    def wait(self, amount: float) -> None:
        self.ticks += amount
        self._since += amount * (1 + self.drift)

    def set_database(self, amount: float) -> None:
        self._since += amount

    def ask(self, there: float = 0.001, back: float = 0.001) -> None:
        """Ask for the time.

        Args:
            there: seconds until the database looks at its clock.
            back: seconds until its answer is heard.
        """
        asked = self.ticks
        self.wait(there)
        answer = self.database
        self.wait(back)
        self.clock.sync(answer, asked)

    def ahead(self) -> float:
        """How many seconds the time that is stored is ahead of the database's."""
        return (self.clock() - self.database).total_seconds()

    def behind(self) -> float:
        """How many seconds the earliest time is behind the database's."""
        return (self.database - self.clock.earliest()).total_seconds()


def test_it_goes_on_from_where_it_was_set() -> None:
    world = World()
    clock = Clock(NOW, lambda: world.ticks)
    assert clock() == NOW
    world.wait(2.5)
    assert clock() == NOW + seconds(2.5)
    assert NOW + seconds(2.499) < clock.earliest() < NOW + seconds(2.5)


@pytest.mark.parametrize("read", [Clock.__call__, Clock.earliest])
def test_before_the_first_answer_there_is_no_time(read: Callable[[Clock], datetime]) -> None:
    world = World()
    assert not world.clock.is_set
    with pytest.raises(DatabaseUnavailable, match="has not told its time yet"):
        read(world.clock)
    world.ask()
    assert world.clock.is_set
    assert abs(read(world.clock) - world.database) <= seconds(0.003)


def test_times_are_aware_utc() -> None:
    clock = Clock(datetime.now(UTC))
    assert {clock().utcoffset(), clock.earliest().utcoffset()} == {timedelta(0)}


@pytest.mark.parametrize("hang", [0.5, 6.5, 30.0, 3_600.0])
@pytest.mark.parametrize("looked", [0.0, 0.5, 1.0], ids=["at once", "half-way", "at the end"])
def test_a_question_that_waited_changes_nothing(hang: float, looked: float) -> None:
    world = World()
    world.ask()
    world.ask(hang * looked, hang * (1 - looked))
    assert abs(world.ahead()) <= 0.002 + DRIFT * hang
    assert 0 <= world.behind() <= 0.003 + DRIFT * hang


@pytest.mark.parametrize(("there", "back"), [(4.0, 0.001), (0.001, 4.0), (2.0, 2.0)])
def test_a_first_answer_that_waited_lets_nothing_start_early(there: float, back: float) -> None:
    """Nor does the next one, which says more, undercut what was stored after the first."""
    world = World()
    world.ask(there, back)
    assert 0 <= world.behind() <= 4.01
    assert abs(world.ahead()) <= 2.01
    shown = world.clock()
    world.ask()
    assert 0 <= world.behind() <= 0.003
    assert world.clock() >= shown
    world.wait(2.1)
    assert abs(world.ahead()) <= 0.003


@pytest.mark.parametrize("step", [8.0, 3_600.0, 0.05])
def test_a_clock_that_is_set_forward_is_followed(
    step: float, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.ask()
    world.wait(OFTEN)
    world.set_database(step)
    assert world.behind() >= step, "until it is known, nothing starts"
    world.ask()
    assert abs(world.ahead()) <= 0.003
    assert 0 <= world.behind() <= 0.003
    world.wait(OFTEN)
    world.ask()
    (line,) = [one.getMessage() for one in caplog.records]
    moved = float(line.removeprefix(MOVED).split()[0])
    assert moved == pytest.approx(step, abs=0.003)


@pytest.mark.parametrize("step", [8.0, 3_600.0, 0.05])
def test_what_is_stored_stands_still_after_a_step_back(
    step: float, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.ask()
    shown = world.clock()
    world.set_database(-step)
    world.ask()
    assert 0 <= world.behind() <= 0.003, "what starts something follows at once"
    assert world.clock() == shown
    world.wait(step / 2)
    assert world.clock() == shown
    world.wait(step / 2)
    world.ask()
    assert abs(world.ahead()) <= 0.003, "it has caught up"
    assert len(caplog.records) == 1


def test_a_machine_that_was_suspended_finds_out(caplog: pytest.LogCaptureFixture) -> None:
    """Its monotonic clock stands still meanwhile."""
    world = World()
    world.ask()
    world.set_database(7_200)
    assert world.behind() >= 7_200, "nothing is rescued or started by what it still believes"
    world.ask()
    assert 0 <= world.behind() <= 0.003
    assert len(caplog.records) == 1


def test_another_server_behind_the_same_address_counts_alone() -> None:
    world = World()
    for step in (3.0, -5.0, 2.0, 8.0, -8.0):
        world.ask()
        world.set_database(step)
        world.ask()
        assert 0 <= world.behind() <= 0.003


def test_answers_out_of_order_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    world = World(DRIFT)
    world.ask()
    early, said_early = world.ticks, world.database
    world.wait(3)
    late, said_late = world.ticks, world.database
    world.wait(0.001)
    world.clock.sync(said_late, late)
    world.wait(2)
    world.clock.sync(said_early, early)
    assert abs(world.ahead()) <= 0.003
    assert 0 <= world.behind() <= 0.004
    assert not caplog.records


@pytest.mark.parametrize("drift", [0.0, 100e-6, -100e-6, 199e-6, -199e-6])
def test_a_day_of_drift_moves_nothing(drift: float, caplog: pytest.LogCaptureFixture) -> None:
    world = World(drift)
    moments = random.Random(1)
    world.ask()
    shown = world.clock()
    for _ in range(int(86_400 / OFTEN)):
        world.wait(OFTEN)
        assert 0 <= world.behind() <= 0.015
        assert abs(world.ahead()) <= 0.006
        assert world.clock() >= shown
        shown = world.clock()
        world.ask(moments.uniform(0, 0.004), moments.uniform(0, 0.004))
    assert not caplog.records


def test_bounds_widen_while_nobody_answers() -> None:
    world = World(-DRIFT)
    world.ask()
    world.wait(86_400)
    assert 0 <= world.behind() <= 2 * DRIFT * 86_400 + 0.003


WAITS = st.floats(0, 60, allow_subnormal=False)
QUESTIONS = st.lists(st.tuples(WAITS, WAITS | st.just(0.0), WAITS | st.just(0.0)), max_size=30)


@given(drift=st.floats(-DRIFT, DRIFT), questions=QUESTIONS)
def test_it_is_never_ahead_and_never_gives_up_what_it_knows(
    drift: float, questions: list[tuple[float, float, float]]
) -> None:
    world = World(drift)
    world.ask(0, 0)
    width = 0.0
    with _no_lines():
        for pause, there, back in questions:
            world.wait(pause)
            world.ask(there, back)
            took = there + back
            width = min(width + 2 * DRIFT * (pause + took), took * (1 + DRIFT))
            behind = world.database - world.clock.earliest()
            assert -ROUNDED <= behind <= seconds(width) + 3 * ROUNDED


@given(
    steps=st.lists(st.tuples(WAITS, st.floats(-100, 100), WAITS, WAITS), min_size=1, max_size=30)
)
def test_what_is_stored_never_goes_back(steps: list[tuple[float, float, float, float]]) -> None:
    world = World()
    world.ask()
    shown = world.clock()
    for pause, step, there, back in steps:
        world.wait(pause)
        world.set_database(step)
        world.ask(there, back)
        assert world.clock() >= shown
        shown = world.clock()


@contextmanager
def _no_lines() -> Iterator[None]:
    """Fail if anything is logged: what only drifts did not move."""
    lines = logging.Handler()
    lines.emit = _refuse  # type: ignore[method-assign]
    logger = logging.getLogger("taskq.server")
    logger.addHandler(lines)
    try:
        yield
    finally:
        logger.removeHandler(lines)


def _refuse(record: logging.LogRecord) -> None:
    raise AssertionError(record.getMessage())

"""How the supervisor hears that its child no longer runs."""

import os
import time
from collections.abc import Iterator

import pytest

from taskq_server.worker.liveness.supervisor import ChildWatchdog

ROUNDS_A_SECOND = 5


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The supervisor's end and the child's."""
    words, mouth = os.pipe()
    os.set_blocking(words, False)
    yield words, mouth
    os.close(words)
    os.close(mouth)


def overdue_in(voice: ChildWatchdog, rounds: int, *, stopping: bool = False) -> list[bool]:
    return [voice.is_overdue(stopping=stopping) for _ in range(rounds)]


def test_a_child_that_has_said_nothing_yet_may_take_its_time(pipe: tuple[int, int]) -> None:
    assert not any(overdue_in(ChildWatchdog(pipe[0]), 100_000))


def test_a_child_may_be_silent_for_as_long_as_it_said_last(pipe: tuple[int, int]) -> None:
    voice = ChildWatchdog(pipe[0])
    os.write(pipe[1], b"60.0\n")
    os.write(pipe[1], b"2.0\n")
    assert not any(overdue_in(voice, 1 + 2 * ROUNDS_A_SECOND))
    os.write(pipe[1], b"1.0\n")
    assert not any(overdue_in(voice, 1 + 1 * ROUNDS_A_SECOND))
    assert overdue_in(voice, 1) == [True]


def test_time_in_which_the_supervisor_did_not_run_does_not_count(pipe: tuple[int, int]) -> None:
    voice = ChildWatchdog(pipe[0])
    os.write(pipe[1], b"0.2\n")
    assert overdue_in(voice, 1) == [False]
    time.sleep(0.5)
    assert overdue_in(voice, 2) == [False, True]


def test_a_child_that_starts_for_ever_can_be_stopped(pipe: tuple[int, int]) -> None:
    voice = ChildWatchdog(pipe[0])
    overdue_in(voice, 100_000)
    assert overdue_in(voice, 1, stopping=True) == [False]
    assert any(overdue_in(voice, 60 * ROUNDS_A_SECOND, stopping=True))


def test_a_child_that_says_first_that_it_cannot_start_is_believed(pipe: tuple[int, int]) -> None:
    voice = ChildWatchdog(pipe[0])
    assert not voice.refuses()
    os.write(pipe[1], b"cannot-start\n")
    assert voice.refuses()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_child_that_has_worked_is_not_believed_that_it_cannot_start(
    pipe: tuple[int, int], at_once: bool
) -> None:
    """A handler of it may have said so."""
    voice = ChildWatchdog(pipe[0])
    os.write(pipe[1], b"60.0\n")
    assert at_once or not voice.refuses()
    os.write(pipe[1], b"cannot-start\n")
    assert not voice.refuses()


def test_what_makes_no_sense_to_the_supervisor_changes_nothing(pipe: tuple[int, int]) -> None:
    voice = ChildWatchdog(pipe[0])
    os.write(pipe[1], b"0.2\n")
    assert overdue_in(voice, 1) == [False]
    os.write(pipe[1], b"\xff nonsense\n")
    assert overdue_in(voice, 2) == [False, True]

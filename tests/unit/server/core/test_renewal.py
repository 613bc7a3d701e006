"""Connections to a server that refuses are left at once, and at most once a second."""

import pytest

from taskq_server.core.renewal import Renewal


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def renewal(clock: Clock) -> Renewal:
    return Renewal(clock)


def test_the_first_refusal_leaves_all_that_is_open(renewal: Renewal, clock: Clock) -> None:
    assert renewal.at < 0, "nothing is left yet"
    assert renewal.helps(99.0)
    assert renewal.at == 100.0


def test_who_asked_before_goes_on_without_another_renewal(renewal: Renewal, clock: Clock) -> None:
    assert renewal.helps(99.0)
    clock.now = 105.0
    assert renewal.helps(99.5)
    assert renewal.at == 100.0


def test_what_is_new_and_refuses_is_kept_for_a_second(renewal: Renewal, clock: Clock) -> None:
    assert renewal.helps(99.0)
    clock.now = 100.9
    assert not renewal.helps(100.5)
    assert renewal.at == 100.0
    clock.now = 101.0
    assert renewal.helps(100.95)
    assert renewal.at == 101.0

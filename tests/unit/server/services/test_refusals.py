"""The log tells why requests are refused, and nobody can flood it."""

import logging

import pytest

from taskq_server.domain.keys import Rejection
from taskq_server.services.refusals import RefusalLog


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def refusals(time: Time, caplog: pytest.LogCaptureFixture) -> RefusalLog:
    caplog.set_level(logging.INFO, "taskq.server.keys")
    return RefusalLog(time)


def test_each_key_and_reason_is_told_once_a_minute(
    refusals: RefusalLog, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(59):
        for key_id in ("one", "two"):
            refusals.tell(key_id, Rejection.REVOKED)
            refusals.tell(key_id, Rejection.WRONG)
        refusals.tell(None, Rejection.ABSENT)
        time.now += 1
    assert sorted(caplog.messages) == [
        "a request opens nothing: it shows no key",
        "key one opens nothing: it was revoked",
        "key one opens nothing: the secret is another one",
        "key two opens nothing: it was revoked",
        "key two opens nothing: the secret is another one",
    ]
    time.now += 1
    refusals.tell("one", Rejection.REVOKED)
    assert len(caplog.messages) == 6


def test_strangers_cannot_flood_it(
    refusals: RefusalLog, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5_000):
        refusals.tell(f"id{number}", Rejection.UNKNOWN)
        time.now += 0.01
    assert len(caplog.messages) == 100
    refusals.tell("mine", Rejection.EXPIRED)
    assert caplog.messages[-1] == "key mine opens nothing: it has expired"
    time.now += 60
    refusals.tell("later", Rejection.WRONG)
    assert caplog.messages[-2:] == [
        "key later opens nothing: the secret is another one",
        "4900 more refusals were not logged one by one",
    ]

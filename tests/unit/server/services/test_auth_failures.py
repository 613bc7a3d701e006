"""How many wrong keys an address may send."""

import pytest

from taskq_server.domain.errors import RateLimited
from taskq_server.services import auth_failures
from taskq_server.services.auth_failures import AuthFailures


class Time:
    """A clock that a test sets."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_may_fail_so_often_in_a_minute() -> None:
    time = Time()
    failures = AuthFailures(3, time)
    for _ in range(3):
        failures.count("198.51.100.1")
    for passed, seconds in ((0.0, 60), (20.5, 40), (59.9, 1)):
        time.now = 1_000.0 + passed
        with pytest.raises(RateLimited) as refused:
            failures.count("198.51.100.1")
        assert refused.value.retry_after == seconds
        failures.count(f"198.51.100.{100 + seconds}")
    time.now = 1_060.0
    failures.count("198.51.100.1")


def test_memory_is_bounded() -> None:
    time = Time()
    failures = AuthFailures(1, time)
    for number in range(3 * auth_failures._MOST_COUNTED):
        failures.count(str(number))
    assert len(failures._minutes) == auth_failures._MOST_COUNTED
    with pytest.raises(RateLimited):
        failures.count(str(3 * auth_failures._MOST_COUNTED - 1))

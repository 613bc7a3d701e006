"""One line when an outage begins, one each half minute, one when it ends."""

import threading

import pytest

from taskq_server.core.outages import Outage, outage


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_that_many_notice_many_times(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    one = Outage("Redis is away", clock=clock)
    one.works()
    for _ in range(700):
        one.fails("ConnectionError")
        clock.now += 0.1
    clock.now += 1
    for _ in range(10):
        one.works()
    assert caplog.messages == [
        "Redis is away: ConnectionError",
        "Redis is away, since 30 s: ConnectionError",
        "Redis is away, since 60 s: ConnectionError",
        "over after 71 s: Redis is away",
    ]
    one.fails("TimeoutError")
    assert caplog.messages[4:] == ["Redis is away: TimeoutError"]


def test_a_success_between_failures_is_no_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    one = Outage("it is crowded", 5.0, clock)
    for _ in range(20):
        one.fails("1213")
        clock.now += 1
        one.works()
    assert caplog.messages == ["it is crowded: 1213"]
    clock.now += 5
    one.works()
    assert caplog.messages[1:] == ["over after 25 s: it is crowded"]


def test_all_parts_of_a_process_have_one_record_of_each_kind_and_place() -> None:
    here = outage("Redis is away", "127.0.0.1:6379")
    assert outage("Redis is away", "127.0.0.1:6379") is here
    assert outage("Redis is away", "127.0.0.1:6380") is not here
    assert outage("Redis takes no doorbells", "127.0.0.1:6379") is not here


def test_threads_tell_of_it_once(caplog: pytest.LogCaptureFixture) -> None:
    one = Outage("Redis is away")
    together = threading.Barrier(8)

    def notice() -> None:
        together.wait()
        for _ in range(200):
            one.fails("ConnectionError")

    threads = [threading.Thread(target=notice) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caplog.messages == ["Redis is away: ConnectionError"]

"""What a rate limit says, and how long a key has to wait."""

import pytest

from taskq_server.domain.rate_limits import RateLimit, Window, remaining, wait_seconds


@pytest.mark.parametrize(
    ("text", "requests", "seconds"),
    [
        ("1/second", 1, 1),
        ("600/minute", 600, 60),
        ("50/hour", 50, 3600),
        ("999999999/day", 999_999_999, 86_400),
    ],
)
def test_a_limit_is_read_and_written(text: str, requests: int, seconds: int) -> None:
    limit = RateLimit.parse(text)
    assert (limit.requests, limit.seconds) == (requests, seconds)
    assert str(limit) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "600", "600/", "/minute", "0/minute", "-1/minute", "+1/minute", "1.5/minute"),
        *("600/minutes", "600 / minute", "600/Minute", "600 per minute", "1/5minutes", "٣/minute"),
        *("1000000000/day", "99999999999/day", "600/minute\n", "600/minute;1/day", "01/minute"),
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 600/minute"):
        RateLimit.parse(text)


@pytest.mark.parametrize(
    ("window", "requests", "left", "seconds"),
    [
        (Window(0, 0, 0), 1, 10, 1),
        (Window(0, 10, 30), 1, 0, 31),  # then one of the ten counts only nearly
        (Window(0, 10, 30), 10, 0, 85),
        (Window(10, 0, 60), 1, 0, 1),
        (Window(10, 5, 30), 1, 0, 1),
        (Window(10, 5, 30), 5, 0, 25),
        (Window(10, 9, 30), 1, 0, 25),
        (Window(10, 2, 30), 4, 3, 1),
    ],
)
def test_how_long_to_wait(window: Window, requests: int, left: int, seconds: int) -> None:
    limit = RateLimit(10, 60)
    assert remaining(limit, window) == left
    assert wait_seconds(limit, window, requests) == seconds


@pytest.mark.parametrize("previous", [0, 1, 7, 10])
@pytest.mark.parametrize("current", [0, 1, 9, 10])
@pytest.mark.parametrize("left", [0.0, 0.3, 12.5, 59.99, 60.0])
@pytest.mark.parametrize("requests", [1, 4, 10])
def test_the_wait_is_long_enough_and_no_longer(
    previous: int, current: int, left: float, requests: int
) -> None:
    limit, window = RateLimit(10, 60), Window(previous, current, left)

    def fits(after: float) -> bool:
        if after < left:
            then = Window(previous, current, left - after)
        else:
            then = Window(current, 0, max(0.0, 60 - (after - left)))
        return remaining(limit, then) >= requests

    seconds = wait_seconds(limit, window, requests)
    assert fits(seconds)
    assert seconds == 1 or not fits(seconds - 1.001)

"""How pages show numbers, durations, times and JSON."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from taskq_server.dashboard import filters


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "\N{EN DASH}"),
        (0, "0"),
        (0.25, "0.2"),
        (12.5, "12.5"),
        (1_234_567, "1,234,567"),
        (12_345.6, "12,346"),
    ],
)
def test_numbers(value: float | None, expected: str) -> None:
    assert filters.number(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (0.0421, "42 ms"),
        (0.9999, "1.0 s"),
        (1.25, "1.2 s"),
        (9.96, "10 s"),
        (59.7, "1 min 0 s"),
        (61, "1 min 1 s"),
        (3_599.6, "1 h 0 min"),
        (3_661, "1 h 1 min"),
        (90_000, "25 h 0 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float | None, expected: str) -> None:
    assert filters.duration(seconds) == expected


def test_times_are_utc_for_those_without_the_script() -> None:
    zone = timezone(timedelta(hours=2))
    shown = filters.moment(datetime(2026, 7, 1, 14, 30, 5, 250_000, zone), "age")
    assert 'datetime="2026-07-01T12:30:05.250000Z"' in shown
    assert 'data-time="age"' in shown
    assert ">2026-07-01 12:30:05 UTC</time>" in shown
    assert filters.moment(None) == "\N{EN DASH}"
    assert "1970-01-01T00:00:00.000000Z" in filters.moment(datetime.fromtimestamp(0, UTC))


def test_json_is_readable() -> None:
    assert filters.readable_json({"name": "\u4f60\u597d", "of": [1]}) == (
        '{\n  "name": "\u4f60\u597d",\n  "of": [\n    1\n  ]\n}'
    )

"""Times and durations in the units that people use."""

from datetime import UTC, datetime, timedelta

import pytest

from taskq_client.cli.words import age, ago, duration, first_paragraph, sign, when
from taskq_client.models import TaskStatus

NOW = datetime(2026, 10, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0ms"),
        (0.00042, "0.42ms"),
        (0.0123, "12ms"),
        (0.0994, "99ms"),
        (0.31, "0.31s"),
        (0.999, "1s"),
        (2.54, "2.5s"),
        (9.99, "10s"),
        (59.4, "59s"),
        (59.6, "1m"),
        (63.4, "1m 3s"),
        (3_599.7, "1h"),
        (7_384, "2h 3m"),
        (86_400, "1d"),
        (190_000, "2d 4h"),
        (800 * 86_400, "2y 70d"),
    ],
)
def test_a_duration_has_one_unit_or_two(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "now"),
        (0.9, "now"),
        (1, "1s"),
        (59.9, "59s"),
        (60, "1m"),
        (3_600, "1h"),
        (172_800, "2d"),
    ],
)
def test_an_age_is_whole_units_that_have_passed(seconds: float, said: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == said


def test_a_time_is_told_with_its_distance() -> None:
    east = datetime(2026, 10, 1, 14, 25, tzinfo=UTC)
    assert when(NOW - timedelta(minutes=5), NOW) == "2026-10-01 12:25:00Z, 5m ago"
    assert when(east, NOW) == "2026-10-01 14:25:00Z, in 1h 55m"
    assert ago(NOW, NOW) == "now"


def test_every_status_has_a_sign_of_its_own() -> None:
    signs = {sign(status) for status in TaskStatus}
    assert len(signs) == len(TaskStatus)
    assert sign("of a newer server") == "?"
    assert "?" not in signs


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, ""), ("", ""), ("\n One\n  line. \n\n More.", "One line."), ("a\x1b[1m", "a\\x1b[1m")],
)
def test_a_description_is_its_first_paragraph(text: str | None, said: str) -> None:
    assert first_paragraph(text) == said

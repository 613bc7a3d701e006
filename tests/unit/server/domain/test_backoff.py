"""The wait before the next try."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain.backoff import Backoff

POSITIVE = st.floats(0.001, 86_400)


@pytest.mark.parametrize(
    ("retries", "window"), [(0, 1), (1, 2), (2, 4), (8, 256), (9, 300), (60, 300), (10**6, 300)]
)
def test_the_window_doubles_up_to_the_cap(retries: int, window: float) -> None:
    assert Backoff().delay(retries, lambda: 1.0) == window
    assert Backoff().delay(retries, lambda: 0.5) == window / 2
    assert Backoff().delay(retries, lambda: 0.0) == 0


def test_jitter_is_full() -> None:
    source = random.Random(7)
    delays = [Backoff(8, 100).delay(0, source.random) for _ in range(1_000)]
    assert min(delays) < 0.2
    assert max(delays) > 7.8
    assert 3.7 < sum(delays) / len(delays) < 4.3


@given(base=POSITIVE, cap=POSITIVE, retries=st.integers(0, 200), chance=st.floats(0, 1))
def test_a_delay_is_never_beyond_the_window(
    base: float, cap: float, retries: int, chance: float
) -> None:
    backoff = Backoff(min(base, cap), max(base, cap))
    delay = backoff.delay(retries, lambda: chance)
    assert 0 <= delay <= backoff.cap
    assert delay <= backoff.base * 2.0 ** min(retries, 200)


@pytest.mark.parametrize(
    ("base", "cap"), [(0, 1), (-1, 1), (2, 1), (float("nan"), 1), (1, float("nan"))]
)
def test_nonsense_is_refused(base: float, cap: float) -> None:
    with pytest.raises(ValueError, match="back-off"):
        Backoff(base, cap)


@pytest.mark.parametrize(
    ("base", "cap", "expected"),
    [
        (None, None, Backoff(10, 100)),
        (3.0, None, Backoff(3, 100)),
        (500.0, None, Backoff(500, 500)),
        (None, 50.0, Backoff(10, 50)),
        (None, 5.0, Backoff(5, 5)),
        (2.0, 4.0, Backoff(2, 4)),
        (9.0, 4.0, Backoff(4, 4)),
    ],
)
def test_a_task_overrides_one_or_both(
    base: float | None, cap: float | None, expected: Backoff
) -> None:
    assert Backoff(10, 100).override(base, cap) == expected


@given(base=st.none() | POSITIVE, cap=st.none() | POSITIVE)
def test_any_override_is_usable(base: float | None, cap: float | None) -> None:
    Backoff().override(base, cap).delay(3, lambda: 0.5)

"""Compare the times of two kinds of calls on a machine that does other things, too.

The calls of both kinds take turns in a random order, so that whatever slows the machine down for a
while slows both. The slowest calls of each kind are left out, because they waited for something
else. By how many standard errors the means of the others differ (Welch's t) is what counts: a busy
machine makes the comparison coarser, and no difference where there is none.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import sqrt
from statistics import fmean, variance

MOST = 6.0
"""Equal kinds differ by more standard errors once in half a billion comparisons."""

_KEPT = 0.8


@contextmanager
def no_garbage() -> Iterator[None]:
    """Let no collection of garbage hit some calls and not others while the block runs."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def standard_errors(one: Sequence[float], other: Sequence[float]) -> float:
    """Return by how many standard errors the mean of one kind is larger than that of the other."""
    ours, theirs = _kept(one), _kept(other)
    error = sqrt(variance(ours) / len(ours) + variance(theirs) / len(theirs))
    return (fmean(ours) - fmean(theirs)) / error


def check_equal(one: Sequence[float], other: Sequence[float]) -> None:
    """Check that two kinds of calls take the same time.

    Args:
        one: seconds that calls of one kind took.
        other: those of the other kind.
    """
    found = standard_errors(one, other)
    means = [f"{fmean(_kept(each)) * 1e6:.2f} µs" for each in (one, other)]
    assert abs(found) < MOST, f"{' and '.join(means)} differ by {found:.1f} standard errors"


def _kept(seconds: Sequence[float]) -> list[float]:
    return sorted(seconds)[: int(len(seconds) * _KEPT)]

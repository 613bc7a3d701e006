"""Garbage in cycles is looked for less often, but it is."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from taskq_server.cli._startup import tune_gc


class Node:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def lives_after(objects: int) -> bool:
    """Whether a cycle is there still when so many more objects were made."""
    gc.collect()
    cycle = weakref.ref(Node())
    kept: list[list[None]] = [[] for _ in range(objects)]
    assert len(kept) == objects
    return cycle() is not None


def test_a_cycle_lives_for_some_thousand_objects_and_no_longer() -> None:
    gc.set_threshold(700, 10, 10)
    assert not lives_after(2_000)
    tune_gc()
    assert lives_after(2_000)
    assert not lives_after(20_000)

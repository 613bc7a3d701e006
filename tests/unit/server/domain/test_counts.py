"""What each change of tasks does to their counts."""

from collections import Counter

import pytest

from taskq_server.domain.counts import by_queue, changes, place
from taskq_server.domain.task import Status
from tests.unit.server.factories import make_task

QUEUED = ("default", "default", Status.QUEUED)


@pytest.mark.parametrize("status", Status)
def test_each_status_has_its_place_but_what_runs_counts_as_queued(status: Status) -> None:
    counted = Status.QUEUED if status is Status.RUNNING else status
    task = make_task(status, namespace="n", queue="q")
    assert place(task) == ("n", "q", counted)
    assert place(make_task(namespace="n", queue="q"), status) == ("n", "q", counted)


def test_changes_are_summed_up_and_zeros_left_out() -> None:
    a, b, c = [("n", queue, Status.QUEUED) for queue in "abc"]
    assert changes(before=[a, a, b, c], after=[a, b, b]) == {a: -1, b: 1, c: -1}
    assert changes(before=[a, b], after=[b, a]) == {}
    assert changes() == {}


def test_what_runs_is_taken_off_what_is_queued() -> None:
    counted = {
        ("b", Status.QUEUED): 5,
        ("b", Status.RUNNING): 2,
        ("b", Status.FAILED): 1,
        ("a", Status.QUEUED): 1,
        ("a", Status.RUNNING): 1,
    }
    found = by_queue(counted)
    assert found == {
        "a": Counter({Status.RUNNING: 1}),
        "b": Counter({Status.QUEUED: 3, Status.RUNNING: 2, Status.FAILED: 1}),
    }
    assert list(found) == ["a", "b"]


def test_queues_with_nothing_are_left_out_and_no_count_is_below_zero() -> None:
    counted = {
        ("empty", Status.QUEUED): 0,
        ("wrong", Status.QUEUED): 1,
        ("wrong", Status.RUNNING): 2,
        ("wrong", Status.FAILED): -3,
    }
    assert by_queue(counted) == {"wrong": Counter({Status.RUNNING: 2})}

"""What each change of tasks does to their counts."""

from collections import Counter
from collections.abc import Iterable

import pytest

from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.counts import (
    Entry,
    Place,
    by_queue,
    changes,
    compacted,
    entries_of_ends,
    place,
)
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.minutes import Ends, QueueMinute, minute_of
from taskq_server.domain.task import Outcome, Status
from tests.unit.server.factories import NOW, make_task, running, seconds

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


def ended(
    outcome: Outcome = Outcome.SUCCEEDED, *, ran: float = 1.0, at: float = 0.0, queue: str = "q"
) -> AttemptEnded:
    """An attempt that ended so many seconds after `NOW`, and ran so many."""
    task = running(queue=queue, started_at=NOW + seconds(at - ran), max_retries=0)
    now = NOW + seconds(at)
    match outcome:
        case Outcome.SUCCEEDED:
            return lifecycle.succeed(task, result="1", now=now)
        case Outcome.RELEASED:
            return lifecycle.release(task, now=now)
        case _:
            failure = Failure(outcome=outcome, type="E", message="m")
            return lifecycle.fail(task, failure, backoff=Backoff(), random=lambda: 1.0, now=now)


MINUTE = minute_of(NOW)


def test_a_batch_of_ends_is_two_entries_of_which_one_says_how_they_ran() -> None:
    found = entries_of_ends([ended(ran=1.0), ended(ran=0.5)])
    assert found == [
        Entry("default", "q", Status.QUEUED, -2),
        Entry("default", "q", Status.SUCCEEDED, 2, Outcome.SUCCEEDED, MINUTE, 1500),
    ]


def test_each_outcome_and_each_minute_has_an_entry_of_its_own() -> None:
    ends = [
        ended(at=59.999999),
        ended(at=60),
        ended(Outcome.TIMED_OUT),
        ended(Outcome.FAILED),
        ended(Outcome.RELEASED),
    ]
    gone, *came = entries_of_ends(ends)
    assert gone == Entry("default", "q", Status.QUEUED, -5)
    assert [(one.status, one.outcome, one.minute) for one in came] == [
        (Status.SUCCEEDED, Outcome.SUCCEEDED, MINUTE),
        (Status.SUCCEEDED, Outcome.SUCCEEDED, MINUTE + 1),
        (Status.FAILED, Outcome.TIMED_OUT, MINUTE),
        (Status.FAILED, Outcome.FAILED, MINUTE),
        (Status.QUEUED, Outcome.RELEASED, MINUTE),
    ]


def test_an_attempt_that_began_on_a_faster_clock_ran_for_no_time() -> None:
    _, came = entries_of_ends([ended(ran=-0.2)])
    assert came.run_milliseconds == 0


def test_compacting_tells_what_ended_in_minutes_that_are_over_once() -> None:
    rows = entries_of_ends([ended(), ended(at=1), ended(Outcome.FAILED, ran=3), ended(at=60)])
    left, over = compacted(rows * 2, MINUTE + 1)
    assert over == {
        QueueMinute("default", MINUTE, "q"): {
            Outcome.SUCCEEDED: Ends(4, 4000),
            Outcome.FAILED: Ends(2, 6000),
        }
    }
    assert left == [
        Entry("default", "q", Status.QUEUED, -8),
        Entry("default", "q", Status.SUCCEEDED, 4),
        Entry("default", "q", Status.FAILED, 2),
        Entry("default", "q", Status.SUCCEEDED, 2, Outcome.SUCCEEDED, MINUTE + 1, 2000),
    ]
    later, over = compacted(left, MINUTE + 2)
    assert over == {QueueMinute("default", MINUTE + 1, "q"): {Outcome.SUCCEEDED: Ends(2, 2000)}}
    assert compacted(later, MINUTE + 9) == (later, {})
    assert changes_of(later) == changes_of(rows * 2)


def changes_of(rows: Iterable[Entry]) -> dict[Place, int]:
    """The sum of each count."""
    sums: Counter[Place] = Counter()
    for row in rows:
        sums[row.place] += row.amount
    return dict(sums)

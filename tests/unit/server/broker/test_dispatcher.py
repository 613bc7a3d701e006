"""Doorbells: what is rung, and when."""

from hypothesis import given
from hypothesis import strategies as st

from taskq_server.broker.dispatcher import doorbell
from taskq_server.domain.task import Priority, Status
from tests.unit.server.factories import NOW, make_task, seconds


def test_a_doorbell_rings_for_the_attempt_that_is_to_come() -> None:
    task = make_task(Status.RETRYING, attempt=3, namespace="theirs", queue="slow")
    bell = doorbell(task)
    assert (bell.task_id, bell.attempt) == (task.id, 4)
    assert (bell.namespace, bell.queue) == ("theirs", "slow")
    assert bell.job_id == f"{task.id}:4"


def test_what_is_due_is_rung_at_its_score() -> None:
    urgent, low = make_task(priority=Priority.URGENT), make_task(priority=Priority.LOW)
    assert doorbell(urgent).at == urgent.score
    assert doorbell(low).at == low.score
    assert doorbell(urgent).at < doorbell(low).at


@given(st.integers(1, 10**10), st.sampled_from(Priority))
def test_what_is_not_due_yet_is_not_rung_before_it_is(later: int, priority: Priority) -> None:
    """A worker that answers too early is refused the claim, and the doorbell is spent."""
    task = make_task(run_at=NOW + seconds(later / 1_000_000), priority=priority)
    assert doorbell(task).at / 1000 >= task.due_at.timestamp()

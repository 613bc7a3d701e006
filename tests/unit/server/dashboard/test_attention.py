"""What needs attention first."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from taskq_server.dashboard.attention import Concern, Kind, concerns
from taskq_server.domain.failures import FailureGroup
from taskq_server.domain.task import Status
from taskq_server.services.failures import Failures
from taskq_server.services.overview import RecentFailures, Standing
from taskq_server.services.queues import QueueState
from taskq_server.services.stats import QueueStats

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)
CALM = RecentFailures(Failures([], exact=True), NOW - timedelta(hours=1))


def queue(
    name: str,
    waiting: int = 0,
    *,
    workers: int = 1,
    age: float | None = None,
    paused: bool = False,
    note: str | None = None,
) -> QueueState:
    stats = QueueStats(name, Counter({Status.QUEUED: waiting}), age)
    return QueueState(stats, workers, NOW if paused else None, note)


def group(failed: int, retrying: int = 0, handler: str = "reports.build") -> FailureGroup:
    return FailureGroup(handler, "ValueError", "no luck", failed, retrying, NOW, UUID(int=1))


def found(
    *queues: QueueState, workers: int = 1, groups: tuple[FailureGroup, ...] = ()
) -> list[Concern]:
    recent = RecentFailures(Failures([*groups], exact=True), CALM.since)
    return concerns(Standing([*queues], workers), recent, NOW)


def test_what_moves_needs_none() -> None:
    assert found() == []
    assert found(workers=0) == []
    assert found(queue("mail", 40, age=59.0), queue("empty", workers=0)) == []


def test_tasks_that_nobody_can_run_come_first() -> None:
    late, stuck = queue("late", 2, age=90.0), queue("stuck", 7, workers=0, age=4_000.0)
    kinds = [each.kind for each in found(late, stuck, groups=(group(3),))]
    assert kinds == [Kind.NOBODY_LISTENS, Kind.FAILING, Kind.LATE]


def test_without_any_worker_it_is_said_once() -> None:
    only = found(queue("a", 2, workers=0), queue("b", 3, workers=0), workers=0)
    assert only == [Concern(Kind.NO_WORKER, 5)]


def test_a_paused_queue_is_not_late_and_needs_no_worker() -> None:
    paused = queue("mail", 5, workers=0, age=900.0, paused=True, note="moving")
    assert found(paused) == [Concern(Kind.PAUSED, 5, "mail", NOW, note="moving")]
    assert found(paused, workers=0) == [Concern(Kind.PAUSED, 5, "mail", NOW, note="moving")]


def test_since_when_a_task_is_late() -> None:
    assert found(queue("mail", 2, age=90.0)) == [
        Concern(Kind.LATE, 2, "mail", NOW - timedelta(seconds=90))
    ]


def test_the_largest_failure_stands_for_all_and_retries_are_none_yet() -> None:
    assert found(groups=(group(0, 900),)) == []
    largest = group(30, handler="mails.send")
    assert found(groups=(group(2, 500), largest, group(0, 9))) == [
        Concern(Kind.FAILING, 30, group=largest, more=1)
    ]


def test_many_queues_in_trouble_are_three_and_a_number() -> None:
    shown = found(*(queue(f"q{n}", n + 1, workers=0) for n in range(200)))
    assert [(each.queue, each.more) for each in shown] == [("q199", 0), ("q198", 0), ("q197", 197)]

from prometheus_client import CollectorRegistry, Counter

from taskq_server.domain import limits
from taskq_server.domain.task import Outcome
from taskq_server.metrics.labels import OTHER, BoundedNames, Children
from taskq_server.metrics.registry import Metrics
from taskq_server.metrics.submits import SubmitResult
from tests.support.metrics import samples


def test_the_first_names_are_labels_and_all_others_share_one() -> None:
    names = BoundedNames(2)
    assert [names.admit(each) for each in ("a", "b", "c", "a", "c")] == [
        "a",
        "b",
        OTHER,
        "a",
        OTHER,
    ]


def test_a_name_that_somebody_made_up_takes_no_room() -> None:
    names = BoundedNames(1)
    assert names.label("made-up") == OTHER
    assert names.admit("published") == "published"
    assert names.label("published") == "published"


def test_children_are_kept() -> None:
    family = Counter("some", "text", ["one", "two"], registry=CollectorRegistry())
    children = Children(family)
    assert children("a", "b") is children("a", "b") is family.labels("a", "b")


def test_five_thousand_handlers_make_two_hundred_labels_and_are_all_counted() -> None:
    metrics = Metrics()
    for number in range(5_000):
        metrics.attempts_ended(f"handler-{number}", Outcome.SUCCEEDED, [0.1])
    found = samples(metrics, "taskq_attempts_total")
    assert len(found) == limits.METRIC_NAMES + 1
    assert sum(found.values()) == 5_000
    assert found[("handler", OTHER), ("outcome", "succeeded")] == 4_800


def test_queues_are_labels_only_if_workers_listen_to_them() -> None:
    metrics = Metrics()
    for number in range(3_000):
        metrics.submits.count("echo", f"made-up-{number}", SubmitResult.CREATED)
    metrics.submits.count("echo", "reports", SubmitResult.CREATED, 7)
    metrics.submits.settle(["reports"])
    assert _by_queue(metrics) == {OTHER: 3_000, "reports": 7}


def test_a_queue_is_counted_under_its_name_though_it_became_known_later() -> None:
    metrics = Metrics()
    metrics.submits.count("echo", "reports", SubmitResult.CREATED)
    assert _by_queue(metrics) == {}
    metrics.submits.settle(["reports"])
    metrics.submits.count("echo", "reports", SubmitResult.CREATED)
    metrics.submits.settle()
    assert _by_queue(metrics) == {"reports": 2}


def test_many_listened_queues_make_two_hundred_labels() -> None:
    metrics = Metrics()
    queues = [f"queue-{number}" for number in range(3_000)]
    metrics.submits.settle(queues)
    for queue in queues:
        metrics.submits.count("echo", queue, SubmitResult.CREATED)
    found = _by_queue(metrics)
    assert len(found) == limits.METRIC_NAMES + 1
    assert found[OTHER] == 2_800


def test_a_refused_submit_makes_no_label_of_the_handler_that_it_names() -> None:
    metrics = Metrics()
    metrics.submits.count("secret-in-a-name", "default", SubmitResult.REFUSED)
    metrics.submits.settle(["default"])
    (labels,) = samples(metrics, "taskq_submits_total")
    assert dict(labels) == {"handler": OTHER, "queue": "default", "result": "refused"}


def test_the_numbers_of_two_runtimes_stay_apart() -> None:
    one, other = Metrics(), Metrics()
    one.lease_lost()
    assert samples(one, "taskq_leases_lost_total") == {(): 1}
    assert samples(other, "taskq_leases_lost_total") == {(): 0}


def _by_queue(metrics: Metrics) -> dict[str, float]:
    found = samples(metrics, "taskq_submits_total")
    return {dict(labels)["queue"]: value for labels, value in found.items()}

"""docs/metrics.md has each metric, with its type and its labels."""

from collections import Counter

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from taskq_server.domain.task import Outcome, Status
from taskq_server.metrics.exposition import page
from taskq_server.metrics.fleet import FleetCollector, FleetFacts, QueueFacts
from taskq_server.metrics.registry import Metrics
from taskq_server.metrics.submits import SubmitResult
from tests.examples.documents import table_rows
from tests.support.processes import ROOT

PAGE = ROOT / "docs" / "metrics.md"
PROCESS, FLEET = "## Numbers of a process", "## Facts of the deployment"

Described = dict[str, tuple[str, set[str]]]


def documented(heading: str) -> Described:
    found: Described = {}
    for metric, kind, labels, meaning in table_rows(PAGE, heading):
        assert meaning
        found[metric.strip("`")] = (kind, {each.strip("`") for each in labels.split()})
    return found


def exposed(families: list[Metric]) -> Described:
    return {_name(each): (each.type, _labels(each)) for each in families if _is_ours(each)}


def test_each_number_of_a_process_is_documented() -> None:
    metrics = Metrics()
    metrics.submits.count("echo", "default", SubmitResult.CREATED)
    metrics.submits.settle()
    metrics.moved("echo", Status.QUEUED, Status.RUNNING)
    metrics.picked_up("default", [0.1])
    metrics.attempts_ended("echo", Outcome.FAILED, [0.1])
    metrics.retried("echo")
    metrics.http_request("/tasks", "POST", 201, 0.1)
    metrics.batch_committed("submits", 1, 0.1)
    text = page("", metrics.registry).body.decode()
    assert documented(PROCESS) == exposed(list(text_string_to_metric_families(text)))


def test_each_fact_is_documented() -> None:
    queues = [QueueFacts("default", "default", Counter({Status.QUEUED: 1}), 0.0)]
    facts = FleetFacts(
        namespaces=["default"],
        queues=queues,
        paused=[],
        listened=[],
        workers=1,
        retention_overdue_seconds=0.0,
    )
    text = page("", FleetCollector(facts, Metrics().queues)).body.decode()
    assert documented(FLEET) == exposed(list(text_string_to_metric_families(text)))


def _is_ours(family: Metric) -> bool:
    return family.name.startswith("taskq_")


def _name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(family: Metric) -> set[str]:
    return {label for sample in family.samples for label in sample.labels} - {"le"}

"""What tasks and workers there are, as metrics: facts of the whole deployment.

Each API process shows the same facts, so a query takes their maximum: `max by (queue) (…)`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from taskq_server.domain import limits
from taskq_server.domain.task import FINAL, Queue, Status
from taskq_server.metrics.labels import BoundedNames

_SHOWN = tuple(status for status in Status if status not in FINAL)


class QueueFacts(NamedTuple):
    """A queue of a namespace.

    Attributes:
        namespace: of the tasks.
        queue: of the tasks.
        tasks: by status.
        oldest_age_seconds: for how long the oldest due task has been due; 0 if none is.
    """

    namespace: str
    queue: str
    tasks: Counter[Status]
    oldest_age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFacts:
    """What a database says at one moment.

    Attributes:
        namespaces: in the order in which they were made, so that new ones take no label away.
        queues: those with tasks.
        paused: those that are paused.
        listened: the queues that workers listen to.
        workers: the number of live workers.
        retention_overdue_seconds: for how long the oldest task has been past its retention.
    """

    namespaces: Sequence[str]
    queues: Sequence[QueueFacts]
    paused: Collection[Queue]
    listened: Sequence[str]
    workers: int
    retention_overdue_seconds: float


class FleetCollector(Collector):
    """Facts as metrics, with bounded labels.

    Args:
        facts: to show.
        queues: the labels of queues.
    """

    def __init__(self, facts: FleetFacts, queues: BoundedNames) -> None:
        self._facts = facts
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        tasks, ages = self._by_labels()
        depth = GaugeMetricFamily(
            "taskq_queue_depth",
            "Tasks that are not final; those queued and retrying wait",
            labels=("namespace", "queue", "status"),
        )
        for labels, counted in tasks.items():
            for status in _SHOWN:
                depth.add_metric((*labels, status), counted[status])
        yield depth
        age = GaugeMetricFamily(
            "taskq_queue_oldest_age_seconds",
            "Time for which the oldest due task has been due",
            labels=("namespace", "queue"),
        )
        for labels, seconds in ages.items():
            age.add_metric(labels, seconds)
        yield age
        yield self._paused(tasks)
        yield GaugeMetricFamily("taskq_workers", "Live workers", self._facts.workers)
        yield GaugeMetricFamily(
            "taskq_retention_overdue_seconds",
            "Time for which the oldest task has been past its retention",
            self._facts.retention_overdue_seconds,
        )

    def _paused(self, shown: Iterable[tuple[str, str]]) -> Metric:
        namespaces = _bounded(self._facts.namespaces)
        paused = {
            (namespaces.label(each.namespace), self._queues.label(each.name))
            for each in self._facts.paused
        }
        gauge = GaugeMetricFamily(
            "taskq_queue_paused",
            "Whether the queue is paused, so that none of its tasks starts",
            labels=("namespace", "queue"),
        )
        for labels in sorted({*shown, *paused}):
            gauge.add_metric(labels, labels in paused)
        return gauge

    def _by_labels(
        self,
    ) -> tuple[dict[tuple[str, str], Counter[Status]], dict[tuple[str, str], float]]:
        namespaces = _bounded(self._facts.namespaces)
        tasks: defaultdict[tuple[str, str], Counter[Status]] = defaultdict(Counter)
        ages: dict[tuple[str, str], float] = {}
        for each in self._facts.queues:
            labels = namespaces.label(each.namespace), self._queues.label(each.queue)
            tasks[labels].update(each.tasks)
            ages[labels] = max(each.oldest_age_seconds, ages.get(labels, 0.0))
        return tasks, ages


def _bounded(namespaces: Iterable[str]) -> BoundedNames:
    names = BoundedNames(limits.METRIC_NAMESPACES)
    names.admit_all(namespaces)
    return names

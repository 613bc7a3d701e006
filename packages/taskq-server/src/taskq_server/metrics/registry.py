"""Every metric that a process counts, with its labels and their bounds.

What tasks there are, a process reads from the ledger instead (`metrics.fleet`).
"""

from collections.abc import Sequence
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    PlatformCollector,
    ProcessCollector,
)

from taskq_server.core.observer import DatabaseFailure, RedisFailure
from taskq_server.domain.task import Outcome, Status
from taskq_server.metrics.histograms import Histograms
from taskq_server.metrics.labels import BoundedNames, Children
from taskq_server.metrics.submits import Submits

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PICKUP = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_RUN = (0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """The numbers of one process; each runtime has its own, so that several stay apart.

    It is the observer of the process's database and Redis, too. All methods may be called from any
    thread, and cost a microsecond or two.

    Attributes:
        registry: what Prometheus is shown.
        handlers: the labels of handlers: names that were published, since tasks exist for them.
        queues: the labels of queues: those that workers listen to.
        submits: submits of tasks.
        waiters: requests that wait for tasks now.
        sse_streams: requests that follow a task or the counts now.
        quarantine_processes: quarantine processes that run now.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        make = _Families(self.registry)
        self.handlers = BoundedNames()
        self.queues = BoundedNames()
        submits = make.counters("submits", "Submitted tasks", "handler", "queue", "result")
        self.submits = Submits(submits, self.handlers, self.queues)
        self._count_attempts(make)
        self._count_requests(make)
        self._watch_service(make)

    def _count_attempts(self, make: "_Families") -> None:
        self._transitions = make.counters(
            "transitions", "Changes of the status of tasks", "handler", "from", "to"
        )
        self._attempts = make.counters("attempts", "Ended attempts", "handler", "outcome")
        self._retries = make.counters("retries", "Failures that are tried again", "handler")
        self._pickup = make.histograms(
            "pickup_seconds", "Time from due to the start of attempts", _PICKUP, "queue"
        )
        self._run = make.histograms(
            "run_seconds", "Time from start to end of attempts", _RUN, "handler", "outcome"
        )
        self._leases_lost = make.counter("leases_lost", "Leases that workers have lost")
        self.quarantine_processes = make.gauge("quarantine_processes", "Quarantine processes")

    def _count_requests(self, make: "_Families") -> None:
        self._http = make.histograms(
            "http_request_seconds",
            "Time of requests, without the time for which they asked to wait",
            _FAST,
            "route",
            "method",
            "status",
        )
        self.waiters = make.gauge("waiters", "Requests that wait for tasks")
        self.sse_streams = make.gauge("sse_streams", "Requests that follow a task or the counts")
        self._limiter_skipped = make.counter(
            "limiter_skipped", "Requests let through because their limit could not be checked"
        )

    def _watch_service(self, make: "_Families") -> None:
        self._lag = make.histograms("event_loop_lag_seconds", "Delay of the event loop", _FAST)
        self._batch_size = make.histograms(
            "group_commit_size", "Items of the batches of group commits", _SIZES, "group"
        )
        self._batch_seconds = make.histograms(
            "group_commit_seconds", "Time of the batches of group commits", _FAST, "group"
        )
        self._database_errors = make.counters("database_errors", "Errors of the database", "kind")
        self._redis_errors = make.counters("redis_errors", "Errors of Redis", "kind")
        # From the start, so that the first error is an increase.
        for failure in get_args(DatabaseFailure):
            self._database_errors(failure)
        for failure in get_args(RedisFailure):
            self._redis_errors(failure)

    def moved(self, handler: str, before: Status, after: Status, tasks: int = 1) -> None:
        """Count changes of the status of stored tasks."""
        if before is not after:
            self._transitions(self.handlers.admit(handler), before, after).inc(tasks)

    def picked_up(self, queue: str, seconds: Sequence[float]) -> None:
        """Count the starts of attempts, of a queue that this worker listens to.

        Args:
            queue: of the tasks.
            seconds: for which each of them had been due.
        """
        self._pickup.observe_all(seconds, self.queues.admit(queue))

    def attempts_ended(self, handler: str, outcome: Outcome, seconds: Sequence[float]) -> None:
        """Count the ends of attempts.

        Args:
            handler: of the tasks.
            outcome: of the attempts.
            seconds: that each of them took.
        """
        label = self.handlers.admit(handler)
        self._attempts(label, outcome).inc(len(seconds))
        self._run.observe_all(seconds, label, outcome)

    def retried(self, handler: str, tasks: int = 1) -> None:
        """Count failed attempts after which their tasks are tried again."""
        self._retries(self.handlers.admit(handler)).inc(tasks)

    def lease_lost(self) -> None:
        """Count a lease of this process's worker that has run out."""
        self._leases_lost.inc()

    def limiter_skipped(self) -> None:
        """Count a request that was let through because its key's limit could not be checked."""
        self._limiter_skipped.inc()

    def http_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            route: the path of its route, with the names of its parameters.
            method: one of HTTP's.
            status: of the answer.
            seconds: that it took.
        """
        self._http.observe(seconds, route, method, status)

    def batch_committed(self, group: str, items: int, seconds: float) -> None:
        """Count a batch of a group commit; see `Observer`."""
        self._batch_size.observe(items, group)
        self._batch_seconds.observe(seconds, group)

    def database_failed(self, kind: DatabaseFailure) -> None:
        """Count an error of the database; see `Observer`."""
        self._database_errors(kind).inc()

    def redis_failed(self, kind: RedisFailure) -> None:
        """Count an error of Redis; see `Observer`."""
        self._redis_errors(kind).inc()

    def loop_lagged(self, seconds: float) -> None:
        """Note a delay of the event loop; see `Observer`."""
        self._lag.observe(seconds)


class _Families:
    """Makes families of metrics, whose names begin with `taskq_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str) -> Counter:
        return Counter(f"taskq_{name}", text, registry=self._registry)

    def counters(self, name: str, text: str, *labels: str) -> Children[Counter]:
        return Children(Counter(f"taskq_{name}", text, labels, registry=self._registry))

    def gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"taskq_{name}", text, registry=self._registry)

    def histograms(
        self, name: str, text: str, buckets: Sequence[float], *labels: str
    ) -> Histograms:
        return Histograms(self._registry, f"taskq_{name}", text, buckets, *labels)

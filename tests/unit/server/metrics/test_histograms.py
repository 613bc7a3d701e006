"""Our histograms show what the library's would."""

from prometheus_client import CollectorRegistry, Histogram

from taskq_server.metrics.exposition import page
from taskq_server.metrics.histograms import Histograms
from tests.support.metrics import parsed

BUCKETS = (0.005, 0.01, 1, 2.5, 1800.0)
VALUES = (0.0, 0.005, 0.0051, 0.01, 0.9, 1, 2.5, 1799.999, 1800.0, 1e9)


def shown(registry: CollectorRegistry) -> object:
    return {accept: page(accept, registry).body for accept in ("", "application/openmetrics-text")}


def test_they_look_like_those_of_the_library() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    own = Histograms(ours, "some_seconds", "text", BUCKETS, "handler", "status")
    library = Histogram("some_seconds", "text", ["handler", "status"], None, registry=theirs,
                        buckets=BUCKETS)  # fmt: skip
    for value in VALUES:
        own.observe(value, 'a"b\\', 200)
        library.labels('a"b\\', 200).observe(value)
        library.labels("c", 500).observe(value)
    own.observe_all(VALUES, "c", 500)
    assert shown(ours) == shown(theirs)


def test_without_labels_there_is_one_from_the_start() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    own = Histograms(ours, "some_seconds", "text", BUCKETS)
    library = Histogram("some_seconds", "text", registry=theirs, buckets=BUCKETS)
    assert shown(ours) == shown(theirs)
    own.observe(0.5)
    library.observe(0.5)
    assert shown(ours) == shown(theirs)


def test_with_labels_there_is_none_before_its_first_value() -> None:
    registry = CollectorRegistry()
    Histograms(registry, "some_seconds", "text", BUCKETS, "handler")
    assert "some_seconds_count" not in parsed(page("", registry).body.decode())

"""The numbers of a process, read by the official parser."""

from prometheus_client.parser import text_string_to_metric_families

from taskq_server.metrics.exposition import page
from taskq_server.metrics.registry import Metrics

Samples = dict[tuple[tuple[str, str], ...], float]
"""The value of each sample of one name, by its labels, which are sorted."""


def parsed(text: str) -> dict[str, Samples]:
    """Return the samples of a page in the text format, by name."""
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def samples(metrics: Metrics, name: str) -> Samples:
    """Return what a process has counted under a name."""
    return parsed(page("", metrics.registry).body.decode()).get(name, {})

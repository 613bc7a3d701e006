"""Histograms that a batch of tasks observes at once.

The library's own take a lock and several calls for each value, which is most of what it costs to
count a task. So these keep plain numbers, and are shown to the library when a scraper asks.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from threading import Lock

from prometheus_client import Metric
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

Labels = tuple[str | int, ...]


class Histograms(Collector):
    """The histograms of a family, one for each combination of labels.

    Args:
        registry: shows them.
        name: of the family.
        text: says what is observed.
        buckets: their upper bounds, ascending, without infinity.
        labels: the names of the labels.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        text: str,
        buckets: Sequence[float],
        *labels: str,
    ) -> None:
        self._name = name
        self._text = text
        self._bounds = tuple(buckets)
        self._names = labels
        self._kept: dict[Labels, _Series] = {}
        # Without labels there is one from the start, so that its first value is an increase.
        if not labels:
            self._series(())
        registry.register(self)

    def observe(self, value: float, *labels: str | int) -> None:
        """Count a value, on any thread, under these labels, in the order of the family's."""
        self._series(labels).add((value,))

    def observe_all(self, values: Iterable[float], *labels: str | int) -> None:
        """Count some values, on any thread, under the same labels."""
        self._series(labels).add(values)

    def collect(self) -> Iterator[Metric]:
        """Yield the family as it is now."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._names)
        for labels, series in list(self._kept.items()):
            amounts, total = series.read()
            bounds = (*map(floatToGoString, self._bounds), "+Inf")
            buckets = list(zip(bounds, accumulate(amounts), strict=True))
            family.add_metric([str(label) for label in labels], buckets, total)
        yield family

    def _series(self, labels: Labels) -> "_Series":
        series = self._kept.get(labels)
        if series is None:
            series = self._kept.setdefault(labels, _Series(self._bounds))
        return series


class _Series:
    """One histogram: how many values are in each bucket, and their sum."""

    __slots__ = ("_amounts", "_bounds", "_lock", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._amounts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def add(self, values: Iterable[float]) -> None:
        bounds, amounts = self._bounds, self._amounts
        with self._lock:
            for value in values:
                amounts[bisect_left(bounds, value)] += 1
                self._sum += value

    def read(self) -> tuple[list[int], float]:
        with self._lock:
            return self._amounts.copy(), self._sum

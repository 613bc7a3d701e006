"""The page that a scraper reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, Metric, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

_OPENMETRICS = "application/openmetrics-text"
_TIME_OF_BIRTH = "_created"


@dataclass(frozen=True, slots=True)
class Page:
    """The numbers as text, and the media type of that."""

    body: bytes
    media_type: str


def page(accept: str, *collectors: Collector) -> Page:
    """Return the numbers of some collectors.

    Args:
        accept: the header of the request: OpenMetrics if it asks for that, else version 0.0.4 of
            the text format.
        collectors: whose numbers.
    """
    shown = _All(collectors)
    if _OPENMETRICS in accept.lower():
        text: bytes = openmetrics.generate_latest(shown)  # type: ignore[no-untyped-call]
        return Page(text, openmetrics.CONTENT_TYPE_LATEST)
    return Page(generate_latest(shown), CONTENT_TYPE_PLAIN_0_0_4)


class _All(Collector):
    """Some collectors as one, without the time at which each number was first counted.

    Those times would be half of all series, and no query of the documentation needs one.
    """

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = tuple(collectors)

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            for metric in collector.collect():
                metric.samples = [
                    each for each in metric.samples if not each.name.endswith(_TIME_OF_BIRTH)
                ]
                yield metric

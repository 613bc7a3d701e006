"""Bounds of labels, and the children of a family.

A label makes a series for each of its values, and a scraper keeps each of those for weeks. So no
label has a value that a caller can make up.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

from taskq_server.domain import limits

OTHER = "other"
"""The label of all names that have none of their own."""

Family = TypeVar("Family", bound=MetricWrapperBase)


class BoundedNames:
    """The names that are labels: the first ones that come, and `OTHER` for all others.

    Args:
        most: names that are labels of their own.
    """

    def __init__(self, most: int = limits.METRIC_NAMES) -> None:
        self._most = most
        self._labels: dict[str, str] = {}

    @property
    def is_full(self) -> bool:
        """Whether no name becomes a label any more."""
        return len(self._labels) >= self._most

    def __contains__(self, name: str) -> bool:
        return name in self._labels

    def admit(self, name: str) -> str:
        """Return the label of a name that nobody made up."""
        label = self._labels.get(name)
        if label is not None:
            return label
        if self.is_full:
            return OTHER
        self._labels[name] = name
        return name

    def admit_all(self, names: Iterable[str]) -> None:
        """Make labels of names, in their order, as long as there is room."""
        for name in names:
            self.admit(name)

    def label(self, name: str) -> str:
        """Return the label of a name that a caller may have made up; it makes no new one."""
        return self._labels.get(name, OTHER)


class Children(Generic[Family]):
    """The children of a family by their labels.

    They are kept, because the library takes several times as long to find one as to count with it.

    Args:
        family: has labels.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._kept: dict[tuple[str | int, ...], Family] = {}

    def __call__(self, *labels: str | int) -> Family:
        """Return the child with these labels, in the order of the family's."""
        child = self._kept.get(labels)
        if child is None:
            child = self._kept[labels] = self._family.labels(*labels)
        return child

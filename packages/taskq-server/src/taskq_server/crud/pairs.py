"""Conditions on pairs of namespace and name, for statements that serve several namespaces.

A key and the id of a task that it has submitted are such a pair, too.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

Named = tuple[str, str]
"""A namespace, and a name or hash within it."""


def is_one_of(
    namespace: ColumnElement[Any], name: ColumnElement[Any], pairs: Iterable[tuple[str, Any]]
) -> ColumnElement[bool]:
    """Return the condition that two columns are one of some pairs.

    One list of names for each namespace lets an index find exactly these rows: with one list of
    namespaces and one of names, it would be asked for each combination.

    Args:
        namespace: the column of the namespace, or of the key.
        name: the column of the name, or of the id.
        pairs: at least one; of no more than 900 namespaces, because SQLite takes no deeper
            conditions. A group commit has fewer.
    """
    names: defaultdict[str, list[str]] = defaultdict(list)
    for of, each in pairs:
        names[of].append(each)
    return or_(*(and_(namespace == of, name.in_(those)) for of, those in names.items()))

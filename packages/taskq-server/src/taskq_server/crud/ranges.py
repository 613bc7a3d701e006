"""The first rows of several index ranges, at the cost of the rows that come out.

An ordered index yields the first rows of one range without reading the rest. `IN` over the columns
before the ordered one would read and sort all of them: so each range is cut first, then merged.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import CompoundSelect, Row, Select, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

_RANGES_AT_ONCE = 100  # SQLite takes no more than 500


def first(parts: Sequence[Select[Any]], by: str, limit: int, *, descending: bool) -> Select[Any]:
    """Return a statement for the first rows of some others, which each follow one index.

    Args:
        parts: statements of equal columns, without an order.
        by: the column of the order.
        limit: rows, at most.
        descending: the highest first.
    """
    cuts = [_cut(part, by, limit, descending) for part in parts]
    if len(cuts) == 1:
        return cuts[0]
    return _cut(select(_together(cuts).subquery()), by, limit, descending)


async def lowest(
    connection: AsyncConnection, parts: Sequence[Select[Any]], by: str, limit: int
) -> list[Row[Any]]:
    """Return the lowest rows of any number of statements; see `first`."""
    found: list[Row[Any]] = []
    for some in _batches(parts):
        found += await connection.execute(first(some, by, limit, descending=False))
    return sorted(found, key=attrgetter(by))[:limit]


async def heads(
    connection: AsyncConnection, parts: Sequence[Select[Any]], by: str
) -> list[Row[Any]]:
    """Return the lowest row of each statement that has any."""
    found: list[Row[Any]] = []
    for some in _batches(parts):
        cuts = [_cut(part, by, 1, descending=False) for part in some]
        found += await connection.execute(_together(cuts))
    return found


def _batches(parts: Sequence[Select[Any]]) -> Iterator[Sequence[Select[Any]]]:
    for start in range(0, len(parts), _RANGES_AT_ONCE):
        yield parts[start : start + _RANGES_AT_ONCE]


def _cut(statement: Select[Any], by: str, limit: int, descending: bool) -> Select[Any]:
    column = statement.selected_columns[by]
    return statement.order_by(column.desc() if descending else column.asc()).limit(limit)


def _together(cuts: Sequence[Select[Any]]) -> CompoundSelect[Any]:
    return union_all(*(select(one.subquery()) for one in cuts))

"""The first rows of several index ranges, at the cost of the returned rows.

An ordered index yields the first rows of one range without reading the rest. `IN` over the columns
before the ordered one would read and sort all rows, so each range is limited first and merged then.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, Select, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

_RANGES_AT_ONCE = 100  # SQLite takes no more than 500


def first(parts: Sequence[Select[Any]], by: str, limit: int, *, descending: bool) -> Select[Any]:
    """Return a statement for the first rows of several statements, each of which follows one index.

    Args:
        parts: statements of equal columns, without an order.
        by: the column of the order.
        limit: most rows to return.
        descending: whether the highest come first.
    """

    def cut(statement: Select[Any]) -> Select[Any]:
        column = statement.selected_columns[by]
        return statement.order_by(column.desc() if descending else column.asc()).limit(limit)

    ranges = [cut(part) for part in parts]
    if len(ranges) == 1:
        return ranges[0]
    return cut(select(union_all(*(select(one.subquery()) for one in ranges)).subquery()))


async def lowest(
    connection: AsyncConnection, parts: Sequence[Select[Any]], by: str, limit: int
) -> list[Row[Any]]:
    """Return the lowest rows of any number of statements; see `first`."""
    found: list[Row[Any]] = []
    for start in range(0, len(parts), _RANGES_AT_ONCE):
        statement = first(parts[start : start + _RANGES_AT_ONCE], by, limit, descending=False)
        found += await connection.execute(statement)
    return sorted(found, key=attrgetter(by))[:limit]

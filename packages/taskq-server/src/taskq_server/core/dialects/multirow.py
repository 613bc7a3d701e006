"""Write an INSERT of many rows in as few statements as their size allows, for drivers of MySQL.

asyncmy's `executemany` does the same, but writes each value of each row anew. Here a column with
one value in the whole batch, as most have, is written once. asyncmy also escapes strings character
by character (0.1 ms per 5 kB of JSON), so long strings are sent as hex literals, which need no
escaping.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from taskq_server.core.dialects.base import Columns
from taskq_server.core.dialects.compiled import is_constant

MAX_CHARACTERS = 1_000_000
"""Most characters of a statement, because the server limits the bytes of a packet."""

_HEXADECIMAL = range(200, 500_000)

Quote = Callable[[object], str]
"""Writes a value as SQL: the driver's `literal`."""


def statements(sql: str, columns: Columns, quote: Quote) -> Iterator[str]:
    """Return the statements that insert all rows.

    Args:
        sql: `INSERT INTO … VALUES (%s, …) …`, for one row.
        columns: the values of each column, one for each row.
        quote: writes a value as SQL.
    """
    start, _, rest = sql.partition(" VALUES ")
    _, _, end = rest.partition(")")
    written = [_written(values, quote) for values in columns]
    rows = (f"({','.join(row)})" for row in zip(*written, strict=True))
    for some in _pieces(rows, MAX_CHARACTERS):
        yield f"{start} VALUES {','.join(some)}{end}"


def _written(values: Sequence[object], quote: Quote) -> Sequence[str]:
    if is_constant(values):
        return [_literal(values[0], quote)] * len(values)
    return [_literal(value, quote) for value in values]


def _literal(value: object, quote: Quote) -> str:
    if isinstance(value, str) and len(value) in _HEXADECIMAL:
        return f"_utf8mb4 x'{value.encode().hex()}'"
    return quote(value)


def _pieces(rows: Iterable[str], most: int) -> Iterator[list[str]]:
    piece: list[str] = []
    size = 0
    for row in rows:
        if piece and size + len(row) > most:
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += len(row)
    yield piece

"""An INSERT of many rows in as few statements as its size allows, for drivers of MySQL.

asyncmy's `executemany` does the same, but writes each value of each row by itself. Most columns of
a batch have one value: it is written once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

MAX_CHARACTERS = 1_000_000
"""How long a statement grows before another one takes the rest: the server limits its bytes."""

Columns = Sequence[Sequence[object]]
Write = Callable[[str, tuple[object, ...]], str]
"""Fills a template's `%s` with values, quoted: the driver's `mogrify`."""


def statements(sql: str, columns: Columns, write: Write) -> Iterator[str]:
    """Return the statements that insert all rows.

    Args:
        sql: `INSERT INTO … VALUES (%s, …) …`, for one row.
        columns: the values of each column, one for each row.
        write: quotes values.
    """
    start, _, rest = sql.partition(" VALUES ")
    _, _, end = rest.partition(")")
    for some in _pieces(_rows(columns, write), MAX_CHARACTERS):
        yield f"{start} VALUES {','.join(some)}{end}"


def _rows(columns: Columns, write: Write) -> Iterable[str]:
    template: list[str] = []
    various: list[Sequence[object]] = []
    for values in columns:
        if is_constant(values):
            template.append(write("%s", (values[0],)).replace("%", "%%"))
        else:
            template.append("%s")
            various.append(values)
    row = f"({','.join(template)})"
    if not various:
        return [write(row, ())] * len(columns[0])
    return [write(row, values) for values in zip(*various, strict=True)]


def is_constant(values: Sequence[object]) -> bool:
    """Return whether a column has one value in all rows."""
    return values.count(values[0]) == len(values)


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

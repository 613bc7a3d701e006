"""An INSERT of many rows as text, written by MySQL's own driver."""

import re

import pytest
from asyncmy.converters import escape_item
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.core.dialects import multirow

SQL = "INSERT INTO t (a, b, c) VALUES (%s, %s, %s) ON DUPLICATE KEY UPDATE a = t.a"
START, END = "INSERT INTO t (a, b, c) VALUES ", " ON DUPLICATE KEY UPDATE a = t.a"
VALUES = st.one_of(st.none(), st.integers(-5, 5), st.text(alphabet="a%s'\"\\)(,\n", max_size=4))


def quoted(value: object) -> str:
    text: str = escape_item(value, "utf8mb4")
    return text


def written(*rows: tuple[object, ...]) -> list[str]:
    return list(multirow.statements(SQL, list(zip(*rows, strict=True)), quoted))


def test_all_rows_are_one_statement() -> None:
    assert written((1, "x", None), (2, "x", None)) == [
        f"{START}(1,'x',NULL),(2,'x',NULL){END}",
    ]


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=5))
def test_each_row_is_what_the_driver_writes_for_it_alone(rows: list[tuple[object, ...]]) -> None:
    alone = [f"({','.join(map(quoted, row))})" for row in rows]
    assert written(*rows) == [f"{START}{','.join(alone)}{END}"]


def test_a_long_text_is_written_as_digits() -> None:
    text = '"zwölf" % ' * 50
    (statement,) = written((1, text, None), (2, "x", None))
    digits = text.encode().hex()
    assert statement == f"{START}(1,_utf8mb4 x'{digits}',NULL),(2,'x',NULL){END}"


def test_rows_beyond_the_size_of_a_statement_go_into_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multirow, "MAX_CHARACTERS", 40)
    rows = [(n, "x" * n, 0) for n in range(10, 30)]
    statements = written(*rows)
    assert [len(re.findall(r"\(\d", one)) for one in statements] == [2, *[1] * 18]
    assert all(one.startswith(START) and one.endswith(END) for one in statements)
    assert re.findall(r"\((\d+),", "".join(statements)) == [str(n) for n, *_ in rows]

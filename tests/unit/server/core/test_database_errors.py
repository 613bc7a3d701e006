"""What a log may say of an error of the database: nothing that quotes a value of a row."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from taskq_server.core.database_errors import reason

SECRET = "PLANTED-SECRET"


def wrapped(original: Exception) -> DBAPIError:
    return OperationalError(f"SELECT '{SECRET}'", {"value": SECRET}, original)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1062, f"Duplicate entry '{SECRET}' for key 'PRIMARY'"),
        (1292, f"Truncated incorrect INTEGER value: '{SECRET}'"),
        (1366, f"Incorrect string value: '{SECRET}' for column 'title' at row 1"),
        (1064, f"You have an error in your SQL syntax near '{SECRET}'"),
    ],
)
def test_an_error_that_may_quote_a_value_tells_its_code(code: int, text: str) -> None:
    assert reason(wrapped(RuntimeError(code, text))) == f"OperationalError {code}"


@pytest.mark.parametrize(
    "code",
    [1040, 1045, 1049, 1205, 1213, 1290, 2003, 2006, 2013],
)
def test_an_error_about_the_server_tells_what_it_says(code: int) -> None:
    error = wrapped(RuntimeError(code, "Can't connect to MySQL server\nmore"))
    assert reason(error) == f"OperationalError {code}: Can't connect to MySQL server"


def test_sqlite_names_tables_and_columns_only() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as empty,
        pytest.raises(sqlite3.OperationalError) as raised,
    ):
        empty.execute("SELECT * FROM tasks WHERE title = ?", (SECRET,))
    said = reason(wrapped(raised.value))
    assert said == "OperationalError SQLITE_ERROR: no such table: tasks"


def test_an_error_without_words_tells_its_class() -> None:
    assert reason(TimeoutError()) == "TimeoutError"
    assert reason(ConnectionResetError(104, "reset by peer")).startswith("ConnectionResetError 104")

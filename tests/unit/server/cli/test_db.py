"""What the commands of `taskq-server db` print."""

import sqlite3
from pathlib import Path

import pytest

from taskq_server import migrations
from tests.unit.server.cli.screen_files import shown

HEAD = migrations.head()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "taskq.db"
    monkeypatch.setenv("TASKQ_DATABASE_URL", f"sqlite+aiosqlite:///{path}")
    return path


@pytest.mark.usefixtures("file")
def test_each_move_says_from_where_to_where() -> None:
    done = shown("db", "current")
    assert (done.stdout, done.exit_code) == ("base\n", 0)
    assert done.stderr == f"The newest is {HEAD}: run `taskq-server db upgrade`.\n"
    assert shown("db", "upgrade", "0002").stdout == "0002: moved from base\n"
    assert shown("db", "upgrade").stdout == f"{HEAD}: moved from 0002\n"
    assert shown("db", "upgrade").stdout == f"{HEAD}: nothing to do\n"
    done = shown("db", "current")
    assert (done.stdout, done.stderr) == (f"{HEAD}\n", "")
    assert shown("db", "downgrade", "0001").stdout == f"0001: moved from {HEAD}\n"


def test_what_differs_is_said_in_words(file: Path) -> None:
    assert shown("db", "upgrade").exit_code == 0
    assert shown("db", "check").stdout == f"{HEAD}: as expected\n"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE foreign_to_us (a INTEGER)")
        connection.execute("ALTER TABLE workers ADD COLUMN extra INTEGER")
    connection.close()
    done = shown("db", "check")
    said = str(done.exception)
    assert said.startswith(f"the database is not what revision {HEAD} makes: ")
    assert "table foreign_to_us is not expected" in said
    assert "column workers.extra is not expected" in said
    assert not set("([<>])") & set(said)

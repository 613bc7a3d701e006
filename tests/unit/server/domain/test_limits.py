"""Each bound has one place: `domain/limits.py`."""

import re
from pathlib import Path

import pytest

import taskq_server

SOURCES = Path(taskq_server.__file__).parent
NUMBER = re.compile(r"\b(?:max_length|le)=(?!599)[0-9]")  # 599 is the last status of HTTP
LONG_TIME = re.compile(r"\b(?:86_?400|31_?536_?000)\b")


@pytest.mark.parametrize("folder", ["schemas", "models", "handlers", "api"])
def test_no_bound_is_written_a_second_time(folder: str) -> None:
    files = sorted((SOURCES / folder).rglob("*.py"))
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not NUMBER.findall(text), path
        assert not LONG_TIME.findall(text), path


def test_settings_take_the_bounds_of_tasks_from_there() -> None:
    text = (SOURCES / "core" / "settings" / "tasks.py").read_text(encoding="utf-8")
    assert not LONG_TIME.findall(text)
    assert "le=limits.RETRIES" in text
    assert "le=limits.TIMEOUT_SECONDS" in text

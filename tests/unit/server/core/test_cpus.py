"""The CPUs that this process may use: its affinity, and the shares of its control groups."""

import os
from pathlib import Path

import pytest

from taskq_server.core import cpus
from taskq_server.core.config import Settings

MANY = 64


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with many CPUs."""
    name = "sched_getaffinity" if hasattr(os, "sched_getaffinity") else "cpu_count"
    found = set(range(MANY)) if name == "sched_getaffinity" else MANY
    monkeypatch.setattr(os, name, lambda *_: found)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, MANY),
        ({"": "max 100000"}, MANY),
        ({"": "200000 100000"}, 2),
        ({"": "150000 100000"}, 2),
        ({"": "1000 100000"}, 1),
        ({"a": "400000 100000", "a/b": "max 100000"}, 4),
        ({"a": "400000 100000", "a/b": "300000 100000"}, 3),
        ({"a/b": "9900000 100000"}, MANY),
        ({"a/b": "nonsense"}, MANY),
        ({"other": "100000 100000"}, MANY),
    ],
)
def test_a_share_of_a_container_counts(
    tmp_path: Path, limits: dict[str, str], expected: int
) -> None:
    own = tmp_path / "own"
    own.write_text("1:cpu:/old\n0::/a/b\n")
    groups = tmp_path / "groups"
    for path, limit in limits.items():
        folder = groups / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(limit + "\n")
    assert cpus.usable(groups, own) == expected


def test_without_control_groups_all_are_there(tmp_path: Path) -> None:
    assert cpus.usable(tmp_path / "no", tmp_path / "neither") == MANY


def test_the_setting_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "usable", lambda: 5)
    assert Settings.load().process_count == 5
    monkeypatch.setenv("TASKQ_PROCESSES", "3")
    assert Settings.load().process_count == 3

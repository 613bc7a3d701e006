"""The recipes of CONTRIBUTING.md: the files they name exist, and a field of a task needs few."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "server": ROOT / "packages" / "taskq-server" / "src" / "taskq_server",
    "client": ROOT / "packages" / "taskq-client" / "src" / "taskq_client",
}
MADE_BY_THE_RECIPE = {"crud/queues.py", "services/queues.py", "api/queues.py"}


def files(recipe: str) -> dict[str, list[str]]:
    """The files in the tables of a recipe, by distribution."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {recipe}\n")[2].partition("\n## ")[0]
    found: dict[str, list[str]] = {}
    for name, rows in re.findall(r"^\| (server|client) \| what \|\n((?:\|.*\n)+)", section, re.M):
        cells = [row.split("|")[1] for row in rows.splitlines()[1:]]
        found[name] = [path for cell in cells for path in re.findall(r"`([^`]+)`", cell)]
    return found


def test_a_field_of_a_task_needs_few_files() -> None:
    found = files("Add a field to a task")
    assert 1 <= len(found["server"]) <= 9
    assert 1 <= len(found["client"]) <= 5


@pytest.mark.parametrize("recipe", ["Add a field to a task", "Add an endpoint"])
def test_the_files_of_a_recipe_exist(recipe: str) -> None:
    found = files(recipe)
    assert set(found) == {"server", "client"}
    missing = [
        path
        for name, paths in found.items()
        for path in paths
        if path not in MADE_BY_THE_RECIPE and not (SOURCES[name] / path).exists()
    ]
    assert missing == []

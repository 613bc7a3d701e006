"""The front pages are short, begin with the reader's own function, and agree in both languages."""

import inspect
import re
import textwrap
from pathlib import Path

import pytest

from taskq_server.domain import lifecycle
from tests.examples.documents import Block, blocks_of, table_rows
from tests.support.processes import ROOT

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
STARTS = [ROOT / "docs" / "start.md", ROOT / "docs" / "zh" / "start.md"]
FAULTS = ROOT / "docs" / "guarantees.md"
TWO_COMMANDS = ["pip install nox && nox -s demo\n", "pip install nox && nox\n"]


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_a_readme_has_at_most_120_lines(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_a_readme_begins_with_your_function_in_ten_lines_and_its_output(page: Path) -> None:
    module, script = python(page)[:2]
    assert module.module is not None
    code, _, said = script.code.partition("# prints:\n")
    assert said
    lines = [*module.code.splitlines()[1:], *code.splitlines()]
    assert len([line for line in lines if line.strip()]) <= 10


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_a_readme_has_a_picture_and_the_two_commands(page: Path) -> None:
    blocks = blocks_of(page)
    assert [block.language for block in blocks].count("mermaid") == 1
    assert set(TWO_COMMANDS) <= {block.code for block in blocks if block.language == "bash"}


@pytest.mark.parametrize("pages", [READMES, STARTS], ids=["README", "start"])
def test_both_languages_run_the_same(pages: list[Path]) -> None:
    english, chinese = (runnable(page) for page in pages)
    assert chinese == english


@pytest.mark.parametrize("page", STARTS, ids=lambda page: page.parent.name)
def test_the_state_diagram_is_that_of_the_lifecycle(page: Path) -> None:
    docstring = inspect.getdoc(lifecycle) or ""
    paragraphs = [part for part in docstring.split("\n\n") if "──►" in part]
    assert [block.code for block in blocks_of(page) if "──►" in block.code] == [
        textwrap.dedent(part).strip() + "\n" for part in paragraphs
    ]


def test_the_readme_counts_the_faults_of_the_tables() -> None:
    text = FAULTS.read_text(encoding="utf-8")
    headings = re.findall(r"^## When .*$", text, re.MULTILINE)
    count = sum(len(table_rows(FAULTS, heading)) for heading in headings)
    assert f" {count} faults" in READMES[0].read_text(encoding="utf-8")
    assert f"{count} 种故障" in READMES[1].read_text(encoding="utf-8")


def test_the_map_names_what_is_there() -> None:
    rows = table_rows(ROOT / "CONTRIBUTING.md", "## Where things are")
    named = [path for first, _ in rows for path in re.findall(r"`([^`]+)`", first)]
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert {"packages/taskq-server/", "packages/taskq-client/", "examples/"} <= set(named)


def python(page: Path) -> list[Block]:
    """The blocks of Python of a page."""
    return [block for block in blocks_of(page) if block.language == "python"]


def runnable(page: Path) -> list[str]:
    """What a reader runs, without comments, which each page has in its language."""
    blocks = [b for b in blocks_of(page) if b.language in {"python", "bash", "console"}]
    return [re.sub(r"  # (?!prints).*$", "", block.code, flags=re.MULTILINE) for block in blocks]

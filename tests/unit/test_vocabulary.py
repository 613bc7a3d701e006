"""The words of the code are those of the field: private ones that were replaced stay away."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(ROOT.glob("packages/*/src/**/*.py"))

RETIRED = {
    "asker": "caller",
    "crew": "keyword arguments",
    "deaf": "stuck",
    "ears": "pipe, reader",
    "express": "fast path",
    "mouth": "pipe, writer",
    "mouths": "pipe, writer",
    "overtaken": "CompactionConflict",
    "pulse": "HangDetector",
    "suspect": "quarantined",
    "suspected": "quarantined",
    "suspects": "quarantined",
    "trusting": "optimistic",
    "verdict": "RunResult",
    "verdicts": "RunResult",
    "voice": "ChildWatchdog",
}
"""Words that no identifier, docstring, comment or message may have, and what to say instead."""

RETIRED_NAMES = {
    "Ask": "ClaimRequest",
    "Begun": "Pending",
    "ByIds": "IdListStatement",
    "Cause": "StopReason",
    "Cell": "AttemptChild",
    "CellProcess": "AttemptProcess",
    "Cells": "QuarantinePool",
    "Ended": "AttemptEnded",
    "Ending": "Completion",
    "Exchange": "RetryingSender",
    "InsertRows": "BulkInsert",
    "Garbage": "UnreadableMessages",
    "LetGo": "Shutdown",
    "Reader": "RowMapper",
    "Reach": "OutageLog",
    "Refusal": "NotNow",
    "Together": "UnionStatement",
    "Upkeep": "Maintenance",
    "World": "FakeStore",
    "calls_hooks": "is_failure",
    "hooked": "has_failure_hooks",
    "unread": "optimistic",
}
"""Names that nothing may have, and the name in their place; sentences may have these words."""

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAME = rf"_?({'|'.join(RETIRED_NAMES)})"
_DEFINITION = re.compile(
    rf"\b(?:class|def)\s+{_NAME}\b|\bself\.{_NAME}\b|^\s*{_NAME}\s*(?::[^:]+)?=(?!=)"
)


def retired_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the word and what to say instead, for each retired word of a module."""
    for number, line in enumerate(text.splitlines(), 1):
        for word in _PARTS.findall(line):
            if word.lower() in RETIRED:
                yield number, word, RETIRED[word.lower()]
        for names in _DEFINITION.findall(line):
            name = "".join(names)
            yield number, name, RETIRED_NAMES[name]


def test_retired_words_stay_away() -> None:
    assert SOURCES
    found = [
        f"{path.relative_to(ROOT)}, line {number}: say {instead} in place of {word}"
        for path in SOURCES
        for number, word, instead in retired_in(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("class SuspectTasks:", "Suspect"),
        ("    def is_deaf(self) -> bool:", "deaf"),
        ("# The express lane takes it.", "express"),
        ('"""Raises: Overtaken."""', "Overtaken"),
        ("class Cells:", "Cells"),
        ("class Upkeep:", "Upkeep"),
        ("    def _calls_hooks(self) -> bool:", "calls_hooks"),
        ("        self._hooked = True", "hooked"),
        ("    unread: Task | None = None", "unread"),
    ],
)
def test_a_retired_word_is_found_wherever_it_is(line: str, word: str) -> None:
    assert [(number, found) for number, found, _ in retired_in(f"x = 1\n{line}\n")] == [(2, word)]


@pytest.mark.parametrize(
    "line",
    [
        "def unsuspecting() -> None:",
        '"""Ask for the world, exchange it, and read an unread byte."""',
        "self.janitor.ring(doorbell)",
        "if Ended == reader:",
    ],
)
def test_other_words_may_stay(line: str) -> None:
    assert list(retired_in(line)) == []

"""Versions and changelogs agree."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

import taskq_client
import taskq_server
from tests.support.processes import ROOT

VERSIONS = {"taskq-client": taskq_client.__version__, "taskq-server": taskq_server.__version__}
_HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (.+)$", re.MULTILINE)
_LINKED = re.compile(r"\]\((\S+/CHANGELOG\.md)\)")


def versions(package: str) -> list[tuple[str, str]]:
    """The versions of a changelog with their days, the newest first."""
    text = (ROOT / "packages" / package / "CHANGELOG.md").read_text("utf-8")
    assert text.startswith(f"# Changelog of {package}\n")
    found = _HEADING.findall(text)
    assert len(found) == len(re.findall(r"^## ", text, re.MULTILINE)), "a part without a version"
    return found


def test_both_have_the_version_of_the_api() -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    assert set(VERSIONS.values()) == {document["info"]["version"]}


@pytest.mark.parametrize("package", VERSIONS)
def test_the_newest_part_is_that_of_the_version(package: str) -> None:
    (version, _), *_ = versions(package)
    assert version == VERSIONS[package]


@pytest.mark.parametrize("package", VERSIONS)
def test_versions_and_days_fall_and_only_the_newest_may_be_unreleased(package: str) -> None:
    (newest, day), *others = versions(package)
    parts = [[int(part) for part in one.split(".")] for one, _ in ((newest, day), *others)]
    assert parts == sorted(parts, reverse=True)
    days = [date.fromisoformat(one) for _, one in others]
    days = days if day == "Unreleased" else [date.fromisoformat(day), *days]
    assert days == sorted(days, reverse=True)


def test_the_changelog_of_the_repository_leads_to_those_of_both() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    linked = {(ROOT / path).resolve() for path in _LINKED.findall(text)}
    assert linked == {ROOT / Path("packages", package, "CHANGELOG.md") for package in VERSIONS}

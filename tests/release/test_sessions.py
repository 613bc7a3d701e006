"""A session refuses the arguments of another one, before it installs anything."""

import subprocess
import sys

import pytest

from tests.support.processes import ROOT


@pytest.mark.parametrize(
    ("session", "words", "takes"),
    [
        ("lint", ["-x"], "no arguments"),
        ("types", ["tests/unit"], "no arguments"),
        ("build", ["-k", "some words"], "the tag of a release, such as v1.2.3"),
        ("build", ["1.2.3"], "the tag of a release, such as v1.2.3"),
        ("build", ["v1.2.3", "v1.2.4"], "the tag of a release, such as v1.2.3"),
        ("docs", ["served"], "`serve` or nothing"),
        ("smoke(lowest)", ["-x"], "no arguments"),
        ("image", ["-x"], "no arguments"),
        ("screenshots", ["-x"], "no arguments"),
        ("public_api", ["-x"], "no arguments"),
    ],
)
def test_arguments_of_another_session_are_refused(
    session: str, words: list[str], takes: str
) -> None:
    command = [sys.executable, "-m", "nox", "--no-venv", "--no-color", "-s", session, "--", *words]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert f"takes {takes}, not `" in said
    assert "name the session that takes them, as in `nox -s tests -- " in said
    assert "Traceback" not in said
    assert "install" not in said

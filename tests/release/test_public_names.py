"""What callers lose between two commits is found, and what they cannot see is not."""

import subprocess
from pathlib import Path

import pytest

from tools.compare_public_names import breaks, may_break

BEFORE = {
    "__init__.py": (
        "from pack_age._inside import Client\n__all__ = ['Client', 'LIMIT']\nLIMIT = 3\n"
    ),
    "_inside.py": (
        "class Client:\n"
        "    def run(self, name: str, timeout: float = 1) -> None: ...\n"
        "    def _hidden(self) -> None: ...\n"
        "def helper(): ...\n"
    ),
    "testing/__init__.py": "__all__ = ['Fake']\n\nclass Fake: ...\n",
    "internal.py": "def helper(): ...\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose tag v0.1.0 has a package of the same shape as ours."""
    package = tmp_path / "packages" / "pack-age" / "src" / "pack_age"
    for name, text in BEFORE.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    for words in ("init -q", "add .", "commit -q -m first", "tag v0.1.0"):
        who = ("-c", "user.name=x", "-c", "user.email=x@x.invalid", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *words.split()], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("__init__.py", ", 'LIMIT'", "", "pack_age.LIMIT is no longer there"),
        ("_inside.py", "def run", "def start", "Client.run: Public object was removed"),
        ("_inside.py", ", timeout: float = 1", "", "Client.run(timeout): Parameter was removed"),
        ("_inside.py", "name: str", "name: str, more: str", "Parameter was added as required"),
        ("testing/__init__.py", "Fake", "False_", "pack_age.testing.Fake is no longer there"),
    ],
)
def test_a_loss_is_found(repository: Path, name: str, old: str, new: str, said: str) -> None:
    path = repository / "packages" / "pack-age" / "src" / "pack_age" / name
    path.write_text(path.read_text().replace(old, new))
    lines = list(breaks(repository, "pack_age", "v0.1.0"))
    assert [line for line in lines if said in line], lines


def test_other_changes_are_none(repository: Path) -> None:
    package = repository / "packages" / "pack-age" / "src" / "pack_age"
    (package / "internal.py").unlink()
    inside = package / "_inside.py"
    inside.write_text(inside.read_text().replace("_hidden", "_other").replace("helper", "other"))
    (package / "more.py").write_text("__all__ = ['New']\n")
    assert list(breaks(repository, "pack_age", "v0.1.0")) == []


@pytest.mark.parametrize(
    ("before", "now", "may"),
    [
        ("0.1.0", "0.1.1", False),
        ("0.1.0", "0.2.0", True),
        ("0.9.0", "1.0.0", True),
        ("1.0.0", "1.1.0", False),
        ("1.4.2", "2.0.0", True),
    ],
)
def test_the_version_says_whether_something_may_break(before: str, now: str, may: bool) -> None:
    assert may_break(before, now) is may

"""Which folders `dev --reload` watches."""

from pathlib import Path

import click
import pytest

from taskq_server.cli._reload import folders


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "src")
    (tmp_path / "src" / "package_to_watch").mkdir(parents=True)
    (tmp_path / "src" / "package_to_watch" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "src" / "module_to_watch.py").write_text("raise SystemExit")
    return tmp_path


def test_the_folder_that_a_module_is_imported_from_is_watched(here: Path) -> None:
    """So what lies beside the module is watched as well; nothing is imported."""
    assert folders(["package_to_watch.jobs", "module_to_watch"]) == [here / "src"]


def test_of_installed_packages_only_their_own_folder_is(here: Path) -> None:
    assert folders(["click"]) == [Path(click.__file__).parent]


def test_without_a_module_and_for_a_missing_one_it_is_the_current_folder(here: Path) -> None:
    assert folders([]) == [here]
    assert folders(["no_such_module_anywhere"]) == [here]
    assert folders(["no_such_module_anywhere", "module_to_watch"]) == [here, here / "src"]

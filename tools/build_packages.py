"""Build what a release publishes, and refuse what must not be published.

    python tools/build_packages.py FOLDER [TAG]    # FOLDER/taskq-client/, FOLDER/taskq-server/

* A build of a copy elsewhere, with other times and modes of its files, is the same byte for byte.
* The sdist builds the same wheel, without npm.
* A wheel has the files below `src`, an sdist these and its own papers, and none names this machine.
* The server has its dashboard.
* The text of the licence is in both, and the README is the description, with no relative link.
* The tag is the version, and the README of what has a tag does not say that it is unpublished.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from email import message_from_string
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (ROOT / "packages" / "taskq-client", ROOT / "packages" / "taskq-server")
IGNORED = ROOT / ".gitignore"
HATCHLING_ADDS = {"PKG-INFO", IGNORED.name}
PAPERS = {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", *HATCHLING_ADDS}
OF_DASHBOARD = ("hatch_build.py", "dashboard/package.json", "dashboard/package-lock.json")
STATIC = PurePosixPath("taskq_server/dashboard/static")
NOT_IN_A_CLONE = shutil.ignore_patterns(
    *("__pycache__", "*.py[co]", "*.egg-info"), *(STATIC.name, "node_modules")
)
EPOCH = "1580601600"  # 2 February 2020: no archive has an older or a newer file
OTHER_TIME = 1_000_000_000
UNPUBLISHED = "not published yet"
RELATIVE_LINK = re.compile(r"\]\((?!https?://|#)[^)]*\)")

Files = Mapping[PurePosixPath, bytes]


class Refusal(Exception):
    """What was built must not be published; the message says why."""


def main() -> None:
    """Build, check and print what was built, or end with the reason why it is refused."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python tools/build_packages.py FOLDER [TAG]")
    try:
        for package in PACKAGES:
            for file in build_and_check(package, Path(sys.argv[1]).resolve(), *sys.argv[2:]):
                print(file.name)
    except Refusal as refusal:
        sys.exit(f"not to be published: {refusal}")


def build_and_check(package: Path, folder: Path, tag: str | None = None) -> tuple[Path, Path]:
    """Build an sdist and a wheel into a new folder of the package's name, and check both.

    Args:
        package: The folder of the distribution in this repository.
        folder: Where the new folder is made; one that is there is replaced.
        tag: The tag of the release, `v` and the version; None for a build without one.

    Raises:
        Refusal: They must not be published.
    """
    built = folder / package.name
    shutil.rmtree(built, ignore_errors=True)
    build(package, built)
    (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    with TemporaryDirectory() as name:
        elsewhere = Path(name)
        build(copied(package, elsewhere / "copy" / package.name), elsewhere / "again")
        path = with_broken_npm(elsewhere / "programs")
        build(unpacked(sdist, elsewhere / "sdist"), elsewhere / "from-sdist", "wheel", PATH=path)
        for file, other in ((sdist, "again"), (wheel, "again"), (wheel, "from-sdist")):
            require_equal(file, elsewhere / other / file.name)
    check_contents(package, dict(files_of_wheel(wheel)), dict(files_of_sdist(sdist)), tag)
    return sdist, wheel


def build(package: Path, folder: Path, *targets: str, **variables: str) -> None:
    """Build the targets, or both of them, with the hatchling of this environment.

    Args:
        package: The folder of the distribution.
        folder: Where the files come to.
        targets: Names of hatchling's.
        variables: Of the environment, beside those of this process.

    Raises:
        Refusal: It cannot be built; the message has what hatchling says.
    """
    words = [word for target in targets for word in ("-t", target)]
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder), *words],
        cwd=package,
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refusal(f"hatchling cannot build {package.name}: {done.stderr.strip()}")


def copied(package: Path, folder: Path) -> Path:
    """Copy a package as another machine may have it, and return the copy."""
    shutil.copytree(package, folder, ignore=NOT_IN_A_CLONE)
    shutil.copy(IGNORED, folder.parent)
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (OTHER_TIME, OTHER_TIME))
    return folder


def with_broken_npm(folder: Path) -> str:
    """Return the PATH with an npm in front that fails, so that who needs it cannot build."""
    folder.mkdir()
    npm = folder / "npm"
    npm.write_text("#!/bin/sh\necho 'this build needs npm' >&2\nexit 1\n")
    npm.chmod(0o755)
    return os.pathsep.join((str(folder), *os.get_exec_path()))


def unpacked(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist and return the folder that is in it."""
    shutil.unpack_archive(sdist, folder)
    (top,) = folder.iterdir()
    return top


def require_equal(file: Path, other: Path) -> None:
    """Raise `Refusal` unless two builds are the same."""
    if not other.exists() or file.read_bytes() != other.read_bytes():
        raise Refusal(f"{file.name} is another one when it is built again ({other.parent.name})")


def files_of_wheel(wheel: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield each file of a wheel with its path there."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            yield PurePosixPath(name), archive.read(name)


def files_of_sdist(sdist: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield each file of an sdist with its path below the folder that all are in."""
    with tarfile.open(sdist) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                yield PurePosixPath(*PurePosixPath(member.name).parts[1:]), content.read()


def check_contents(package: Path, wheel: Files, sdist: Files, tag: str | None) -> None:
    """Check what is in the two archives of a package.

    Raises:
        Refusal: Something is missing, or should not be there.
    """
    source = set(sources(package))
    about = {path for path in wheel if path.parts[0].endswith(".dist-info")}
    require_same(f"the wheel of {package.name}", set(wheel) - about, source)
    if (package / "dashboard").is_dir() and not any(STATIC in path.parents for path in wheel):
        raise Refusal(f"the wheel of {package.name} is without its dashboard: npm brings the files")
    whole = {PurePosixPath("src", path) for path in source} | set(papers(package))
    require_same(f"the sdist of {package.name}", set(sdist), whole)
    for name, files in (("wheel", wheel), ("sdist", sdist)):
        if (ROOT / "LICENSE").read_bytes() not in files.values():
            raise Refusal(f"the {name} of {package.name} is without the text of LICENSE")
        for path, content in files.items():
            if any(place in content for place in places_of_this_machine()):
                raise Refusal(f"{path} of {package.name} ({name}) names a folder of this machine")
    (metadata,) = (wheel[path].decode() for path in about if path.name == "METADATA")
    check_metadata(package, metadata, tag)


def papers(package: Path) -> Iterator[PurePosixPath]:
    """Yield what an sdist has beside the sources."""
    yield from map(PurePosixPath, PAPERS)
    yield from (PurePosixPath(name) for name in OF_DASHBOARD if (package / name).exists())


def sources(package: Path) -> Iterator[PurePosixPath]:
    """Yield the files of the one package that a wheel is made of, with their paths in it."""
    for path in (package / "src" / package.name.replace("-", "_")).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield PurePosixPath(path.relative_to(package / "src"))


def require_same(what: str, found: set[PurePosixPath], wanted: set[PurePosixPath]) -> None:
    """Raise `Refusal` unless an archive has the files that it should have."""
    if found != wanted:
        lists = [
            ", ".join(map(str, sorted(one))) or "none" for one in (wanted - found, found - wanted)
        ]
        raise Refusal(
            f"{what}: files that are missing: {lists[0]}; that it should not have: {lists[1]}"
        )


def places_of_this_machine() -> tuple[bytes, ...]:
    """Return the folders that no published file may name."""
    return tuple(f"{path}/".encode() for path in (ROOT, Path.home(), Path(sys.prefix)))


def check_metadata(package: Path, text: str, tag: str | None) -> None:
    """Raise `Refusal` unless the description is the README and fits a release of the tag."""
    head, _, description = text.partition("\n\n")
    if description.strip() != (package / "README.md").read_text("utf-8").strip():
        raise Refusal(f"the description of {package.name} is not its README")
    version = message_from_string(head)["Version"]
    if tag is not None and tag != f"v{version}":
        raise Refusal(f"the tag is {tag}, and {package.name} has version {version}")
    if tag is not None and UNPUBLISHED in " ".join(description.replace("*", "").split()):
        raise Refusal(f"the README of {package.name} says that it is {UNPUBLISHED}")
    if relative := RELATIVE_LINK.search(description):
        raise Refusal(f"on an index {relative[0]} in the README of {package.name} leads nowhere")


if __name__ == "__main__":
    main()

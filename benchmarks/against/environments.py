"""The wheels of a commit, in an environment of its own."""

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.against.run import CannotMeasureError

PACKAGES = ("taskq-server", "taskq-client")


def find_commit(repository: Path, name: str) -> str:
    """The full hash of a commit.

    Raises:
        CannotMeasureError: There is none of this name.
    """
    question = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    try:
        done = subprocess.run(question, cwd=repository, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotMeasureError(f"git is needed to find commit {name}: {error}") from error
    if done.returncode:
        raise CannotMeasureError(
            f"there is no commit {name} here: name one that `git log` shows (a shallow clone has "
            "more of them after `git fetch --unshallow`)"
        )
    return done.stdout.strip()


def describe(repository: Path, commit: str) -> str:
    """Its short hash and subject."""
    return _run(["git", "log", "-1", "--format=%h %s", commit], repository).strip()


def is_changed(repository: Path) -> bool:
    """Whether the packages of the checkout are not those of its last commit."""
    question = ["git", "status", "--porcelain", "--", "packages", "requirements.txt"]
    return bool(_run(question, repository))


def unpack(repository: Path, commit: str, folder: Path) -> Path:
    """Write the files of a commit into `folder`; git itself notices nothing of it.

    Raises:
        CannotMeasureError: It is not laid out as today.
    """
    archive = folder.with_suffix(".zip")
    _run(["git", "archive", "--format=zip", f"--output={archive}", commit], repository)
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)
    archive.unlink()
    wanted = ["requirements.txt", *(f"packages/{name}/pyproject.toml" for name in PACKAGES)]
    for name in wanted:
        if not (folder / name).exists():
            raise CannotMeasureError(
                f"commit {commit[:10]} has no {name} to build its wheels with: name a later one"
            )
    return folder


def install(source: Path, folder: Path) -> Path:
    """Build the wheels of a source tree and install them in its tested versions.

    Args:
        source: A checkout.
        folder: For the wheels and the environment.

    Returns:
        The interpreter of the environment.

    Raises:
        CannotMeasureError: That failed; the message has the output.
    """
    wheels = folder / "wheels"
    for name in PACKAGES:
        build = ["hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        _run([sys.executable, "-m", *build], source / "packages" / name)
    _run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    built = [str(wheel) for wheel in sorted(wheels.glob("*.whl"))]
    _run([*pip, "-c", str(source / "requirements.txt"), *built], folder)
    return python


def _run(command: Sequence[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMeasureError(
            f"`{' '.join(command)}` failed\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}"
        )
    return done.stdout

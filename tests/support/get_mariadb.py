"""Get MariaDB for the tests: `python -m tests.support.get_mariadb FOLDER`.

Nothing happens where it is installed. On Debian and Ubuntu root installs it, and anybody else
unpacks the packages into FOLDER, with a package list of their own. Standard library only.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.mariadb import HOW_TO_INSTALL, Programs
from tests.support.servers import MissingServerError

PACKAGES = ("mariadb-server-core", "mariadb-client-core")


def get_mariadb(folder: Path) -> str:
    """Make MariaDB's programs available and say where they are.

    Raises:
        MissingServerError: That is not possible; the message says what to install.
    """
    if programs := _find(folder):
        return f"MariaDB is here: {programs.server}"
    if shutil.which("apt-get") is None:
        raise MissingServerError(f"MariaDB is missing: {HOW_TO_INSTALL}")
    try:
        _install() if os.geteuid() == 0 else _unpack(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingServerError(f"MariaDB is missing ({error}): {HOW_TO_INSTALL}") from error
    programs = _find(folder)
    if programs is None:
        raise MissingServerError(f"MariaDB is missing: {HOW_TO_INSTALL}")
    return f"MariaDB was installed: {programs.server}"


def _find(folder: Path) -> Programs | None:
    for root in (None, folder):
        try:
            return Programs(root)
        except MissingServerError:
            continue
    return None


def _install() -> None:
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    wait = "DPkg::Lock::Timeout=120"
    _run(["apt-get", "-o", wait, "-q", "update"])
    _run(["apt-get", "-o", wait, "-qy", "install", "--no-install-recommends", *PACKAGES])


def _unpack(folder: Path) -> None:
    """Download what the system lacks and unpack it; a half-unpacked tree is never left."""
    state, cache, tree = (folder.with_name(f"{folder.name}-{part}") for part in "sct")
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    status = "/var/lib/dpkg/status"
    options = [f"Dir::State={state}", f"Dir::State::status={status}", f"Dir::Cache={cache}"]
    apt = ["apt-get", "-q", "-o", "Debug::NoLocking=1"]
    apt += [word for option in options for word in ("-o", option)]
    _run([*apt, "update"])
    _run([*apt, "-y", "install", "--download-only", "--no-install-recommends", *PACKAGES])
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
        print(get_mariadb(Path(sys.argv[1]).absolute()))
    except MissingServerError as error:
        sys.exit(str(error))

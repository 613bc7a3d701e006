"""libfaketime, which gives a process a wrong wall clock."""

import os
from pathlib import Path

from tests.support.mariadb import ROOT_VARIABLE
from tests.support.processes import ROOT
from tests.support.servers import MissingServerError

_SITECUSTOMIZE = """
import os, sys
if "TASKQ_SUPERVISOR_PIPES" in os.environ and "LD_PRELOAD" not in os.environ:
    os.environ["LD_PRELOAD"] = os.environ["TEST_FAKETIME"]
    os.execv(sys.executable, sys.orig_argv)
"""
HOW_TO_INSTALL = (
    "install libfaketime (Debian and Ubuntu: `apt-get install --no-install-recommends "
    "libfaketime`), or run the tests with nox, which gets it on Debian and Ubuntu."
)


def find_faketime(root: str | None = None) -> Path:
    """Where the library for programs with threads is, or `MissingServerError`.

    Args:
        root: A folder with unpacked packages to look in, beside the system.
    """
    for place in filter(None, ("/", root or os.environ.get(ROOT_VARIABLE))):
        for folder in ("lib", "lib64", "local/lib"):
            for found in Path(place, "usr", folder).glob("**/faketime/libfaketimeMT.so.1"):
                return found
    raise MissingServerError(f"libfaketime is missing: {HOW_TO_INSTALL}")


def skewed(seconds: float) -> dict[str, str]:
    """The environment of a process whose wall clock is wrong and whose monotonic one is right."""
    return {
        "LD_PRELOAD": str(find_faketime()),
        "FAKETIME": f"{seconds:+.3f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def skewed_child(folder: Path, seconds: float) -> dict[str, str]:
    """The environment of a worker of which only the child has a wrong wall clock.

    Not its parent: libfaketime 0.9.10 breaks `time.sleep` of a process whose monotonic clock is
    to stay right.

    Args:
        folder: An empty one; Python finds a module of ours there.
        seconds: How far the clock is ahead.
    """
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")
    path = filter(None, [str(folder), str(ROOT), os.environ.get("PYTHONPATH")])
    skew = skewed(seconds)
    library = skew.pop("LD_PRELOAD")
    return {**skew, "PYTHONPATH": os.pathsep.join(path), "TEST_FAKETIME": library}

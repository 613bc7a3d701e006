"""libfaketime, which gives a process a wrong wall clock."""

import os
from pathlib import Path

from tests.support.mariadb import ROOT_VARIABLE
from tests.support.servers import MissingServerError

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

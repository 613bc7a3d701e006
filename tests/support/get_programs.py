"""Get programs for the tests: `python -m tests.support.get_programs FOLDER [--browser]`.

They are MariaDB and libfaketime, and with `--browser` Chromium, too, with fonts for its pictures.
Nothing happens where they are installed. On Debian and Ubuntu root installs what is missing, and
anybody else unpacks the packages into FOLDER, with a package list of their own. Standard library
only.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.chromium import Chromium, find_font
from tests.support.debian import provide
from tests.support.faketime import find_faketime
from tests.support.mariadb import Programs
from tests.support.servers import MissingServerError


@dataclass(frozen=True)
class Wanted:
    """Something the tests need, and the packages that have it.

    Attributes:
        find: Says where it is, given an unpacked tree or "" for the system alone; raises
            `MissingServerError`, whose message says what to install.
        optional: Whether the tests do without it where there is no apt-get.
    """

    packages: tuple[str, ...]
    find: Callable[[str], object]
    optional: bool = False

    def is_in(self, root: str) -> bool:
        """Whether it is in the system or in this tree."""
        try:
            self.find(root)
        except MissingServerError:
            return False
        return True


SERVERS = (
    Wanted(("mariadb-server-core", "mariadb-client-core"), lambda root: Programs(root).server),
    Wanted(("libfaketime",), find_faketime),
)
BROWSER = (
    Wanted(("chromium",), lambda root: Chromium(root).program),
    Wanted(("fonts-dejavu-core",), lambda root: find_font("latin", root), optional=True),
    Wanted(("fonts-wqy-microhei",), lambda root: find_font("chinese", root), optional=True),
)


def get_programs(folder: Path, wanted: Sequence[Wanted] = SERVERS) -> str:
    """Make the programs available and say where they are.

    Raises:
        MissingServerError: That is not possible; the message says what to install.
    """
    tree = str(folder)
    if not all(each.is_in(tree) for each in wanted) and shutil.which("apt-get"):
        # All that the system lacks, because a tree is unpacked as a whole.
        packages = [name for each in wanted if not each.is_in("") for name in each.packages]
        try:
            provide(packages, folder)
        except (OSError, subprocess.CalledProcessError) as error:
            words = " ".join(packages)
            raise MissingServerError(f"{words} cannot be installed: {error}") from error
    found = [each.find(tree) for each in wanted if not each.optional or each.is_in(tree)]
    return f"here: {', '.join(map(str, found))}"


if __name__ == "__main__":
    place, *options = sys.argv[1:]
    try:
        everything = SERVERS + BROWSER if options == ["--browser"] else SERVERS
        print(get_programs(Path(place).absolute(), everything))
    except MissingServerError as error:
        sys.exit(str(error))

"""Where Chromium and its fonts are, in the system or in an unpacked tree."""

import os
import shutil
from pathlib import Path

from tests.support.debian import libraries
from tests.support.mariadb import ROOT_VARIABLE
from tests.support.servers import MissingServerError

# Names the program to use, where it is not one of these on PATH.
VARIABLE = "TASKQ_TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HOW_TO_INSTALL = (
    "install Chromium or Google Chrome (Debian: `apt-get install --no-install-recommends chromium "
    "fonts-dejavu-core fonts-wqy-microhei`; Fedora: `dnf install chromium`), name its program in "
    f"{VARIABLE}, or run the tests with `nox -s browser`, which gets it on Debian."
)
# Files of fonts, one of which is enough: without them pictures show boxes for some letters.
FONTS = {
    "latin": ("DejaVuSans.ttf",),
    "chinese": ("wqy-*.tt[cf]", "NotoSansCJK*", "NotoSansSC*", "DroidSansFallback*"),
}
_FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{fonts}</dir>
</fontconfig>
"""


class Chromium:
    """A browser of the Chromium kind.

    Args:
        root: The unpacked tree, if not that of the environment variable.

    Attributes:
        program: Its executable file.
        env: What its processes have in their environment.

    Raises:
        MissingServerError: There is none.
    """

    def __init__(self, root: str = "") -> None:
        root = root or os.environ.get(ROOT_VARIABLE, "")
        self.env: dict[str, str] = dict(os.environ)
        unpacked = Path(root, "usr", "lib", "chromium", "chromium")
        if found := self._installed():
            self.program = Path(found)
        elif root and unpacked.exists():
            self.program = unpacked
            self.env["LD_LIBRARY_PATH"] = libraries(root)
        else:
            raise MissingServerError(f"Chromium is missing: {HOW_TO_INSTALL}")
        if root and (configuration := _font_configuration(Path(root))):
            self.env["FONTCONFIG_FILE"] = str(configuration)

    def _installed(self) -> str | None:
        if named := os.environ.get(VARIABLE):
            if found := shutil.which(named):
                return found
            raise MissingServerError(f"{VARIABLE}={named} is no program: {HOW_TO_INSTALL}")
        return next(filter(None, map(shutil.which, NAMES)), None)


def find_font(kind: str, root: str = "") -> Path:
    """A file with letters of this kind, one of the keys of `FONTS`.

    Raises:
        MissingServerError: There is none in the system and in the unpacked tree.
    """
    for place in filter(None, ("/", root)):
        for fonts in (Path(place, "usr/share/fonts"), Path(place, "usr/local/share/fonts")):
            for pattern in FONTS[kind]:
                for found in fonts.rglob(pattern):
                    return found
    raise MissingServerError(f"a {kind} font is missing: {HOW_TO_INSTALL}")


def _font_configuration(root: Path) -> Path | None:
    """What tells fontconfig of the fonts of an unpacked tree, written there."""
    fonts = root / "usr" / "share" / "fonts"
    if not fonts.exists():
        return None
    path = root / "fonts.conf"
    text = _FONTS_CONF.format(fonts=fonts)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path

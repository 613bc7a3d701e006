"""Pictures of pages, which CI keeps."""

import os
import re
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Error, Page

from tests.support.processes import ROOT

VARIABLE = "TASKQ_TEST_SCREENSHOTS"
PATIENCE = 20_000
"""Milliseconds; a page that hangs has no picture."""


def screenshot(page: Page, name: str, folder: Path | None = None, *, whole: bool = False) -> Path:
    """Save what a page shows as a PNG; where it is.

    Args:
        page: The page.
        name: The file without its ending; slashes are folders.
        folder: Where, if not in that of the environment variable or `.nox/screenshots`.
        whole: Also what one would have to scroll to.
    """
    folder = folder or Path(os.environ.get(VARIABLE, ROOT / ".nox" / "screenshots"))
    path = folder / f"{name}.png"
    picture = page.screenshot(full_page=whole, animations="disabled", timeout=PATIENCE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
    return path


def keep_screenshots(test: str, pages: list[Page], *, failed: bool) -> None:
    """Save what the pages of a test show at its end, if they still can.

    Args:
        test: The id of the test, such as `tests/browser/test_pages.py::test_axe[dark]`.
        pages: Its open pages.
        failed: Whether it failed; the name of the picture says so.
    """
    file, _, name = test.partition("::")
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-")[:150]
    for number, page in enumerate(pages):
        words = ["FAILED"] * failed + [stem] + [str(number + 1)] * (number > 0)
        with suppress(Error):
            screenshot(page, f"{Path(file).stem}/{'-'.join(words)}")

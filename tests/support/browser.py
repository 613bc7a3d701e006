"""A real browser, and pages in it that look as one person sees them."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Literal, Self

from playwright.sync_api import Browser, BrowserContext, Error, expect, sync_playwright

from tests.support.chromium import Chromium

PATIENCE = 60_000
"""Milliseconds until what a page is asked for counts as missing."""
LAST_RESORT = 60.0
"""Seconds until a browser that does not close its pages is killed."""
_OPTIONS = (
    "--no-sandbox",  # it opens our own pages only, and needs rights that containers do not have
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--font-render-hinting=none",
)


@dataclass(frozen=True)
class Look:
    """What a person's browser and system say.

    Attributes:
        width, height: Of the window, in CSS pixels.
        moves: Whether things may move; a still page is the same whenever one looks at it.
    """

    scheme: Literal["light", "dark"] = "light"
    language: str = "en"
    timezone: str = "UTC"
    width: int = 1280
    height: int = 800
    scripts: bool = True
    moves: bool = False

    def __str__(self) -> str:
        return f"{self.scheme}-{self.language}-{self.width}"


class RealBrowser:
    """A Chromium process, started when the first page is asked for, as a context manager.

    While it is open, its thread has a running event loop: no async test may run there.
    Playwright's driver ends the browser, and removes its profile, with the process of the tests,
    even if that one is killed.
    """

    def __init__(self) -> None:
        self._cleanup = ExitStack()
        self._browser: Browser | None = None
        self._pid = 0

    @contextmanager
    def context(self, look: Look, base_url: str) -> Iterator[BrowserContext]:
        """A browser as nobody used it, for one test: no cookies, no cache.

        Args:
            look: What its pages see.
            base_url: Where addresses of pages begin.
        """
        context = self._running().new_context(
            base_url=base_url,
            color_scheme=look.scheme,
            locale=look.language,
            timezone_id=look.timezone,
            viewport={"width": look.width, "height": look.height},
            java_script_enabled=look.scripts,
            reduced_motion="no-preference" if look.moves else "reduce",
        )
        context.set_default_timeout(PATIENCE)
        try:
            yield context
        finally:
            with self.ended_if_it_hangs(), suppress(Error):
                context.close()

    @contextmanager
    def ended_if_it_hangs(self) -> Iterator[None]:
        """Kill the browser if the block takes too long; the next context gets another one."""
        timer = threading.Timer(LAST_RESORT, _kill, [self._pid])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def pid(self) -> int:
        """The process of the browser."""
        self._running()
        return self._pid

    def __enter__(self) -> Self:
        self._chromium = Chromium()
        expect.set_options(timeout=PATIENCE)
        self._playwright = self._cleanup.enter_context(sync_playwright())
        return self

    def __exit__(self, *_: object) -> None:
        with self._cleanup, self.ended_if_it_hangs(), suppress(Error):
            if self._browser is not None:
                self._browser.close()

    def _running(self) -> Browser:
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(
                executable_path=self._chromium.program,
                args=_OPTIONS,
                env=dict(self._chromium.env),
            )
            processes = self._browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
            (self._pid,) = (
                each["id"] for each in processes["processInfo"] if each["type"] == "browser"
            )
        return self._browser


def _kill(pid: int) -> None:
    if pid:  # 0, where none was started, would be our own group
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

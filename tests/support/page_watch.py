"""Notes what no page may do: say something in the console, or ask for what it does not get."""

import re
from contextlib import suppress
from urllib.parse import urlsplit

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
    WebError,
    WebSocket,
)

# The page itself, or who left it, ended the request: a stream has no other end.
_GIVEN_UP = "net::ERR_ABORTED"
_WITHOUT_NETWORK = ("about", "blob", "data")
_SAY_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error("CSP violation:", event.effectiveDirective, event.blockedURI, event.sample);
});
"""


class PageWatch:
    """Watches all pages of the browser contexts of one test from their beginning."""

    def __init__(self) -> None:
        self._origins: set[str] = set()
        self._contexts: list[BrowserContext] = []
        self._noted: list[str] = []
        self._allowed: list[str] = []
        self._tolerated: list[str] = []

    @property
    def noted(self) -> list[str]:
        """All that was noted, each line once."""
        return list(dict.fromkeys(self._noted))

    @property
    def pages(self) -> list[Page]:
        """The pages that are open."""
        return [page for context in self._contexts for page in context.pages]

    def follow(self, context: BrowserContext, *urls: str) -> None:
        """Watch a context that has no page yet; its pages may get things from these servers."""
        self._contexts.append(context)
        self._origins |= {_origin(url) for url in urls}
        context.add_init_script(_SAY_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("dialog", self._on_dialog)
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failure)
        context.on("page", self._on_page)

    def allow(self, *patterns: str) -> None:
        """Say what a test provokes: a line that each of these regular expressions finds.

        Chromium says `Failed to load resource: the server responded with a status of 403
        (Forbidden)` in the console for an answer that is an error.
        """
        self._allowed += patterns

    def tolerate(self, *patterns: str) -> None:
        """Say what may come, as for `allow`, or may not: what depends on the moment."""
        self._tolerated += patterns

    def complaints(self) -> list[str]:
        """What the pages did so far that nobody allowed, and what was allowed and did not come."""
        for page in self.pages:
            with suppress(Error):  # it is about to leave
                page.evaluate("0")  # what came before has arrived then
        if not all(each.browser and each.browser.is_connected() for each in self._contexts):
            self._noted.append("the browser ended")
        odd = [
            line
            for line in self.noted
            if not any(re.search(one, line) for one in (*self._allowed, *self._tolerated))
        ]
        missing = [
            one for one in self._allowed if not any(re.search(one, line) for line in self.noted)
        ]
        return odd + [f"allowed, and did not happen: {one}" for one in missing]

    def _on_console(self, message: ConsoleMessage) -> None:
        where = message.location
        place = f"{where.get('url', '')}:{where.get('lineNumber', 0) + 1}"
        self._noted.append(f"console {message.type}: {message.text} ({place})")

    def _on_error(self, error: WebError) -> None:
        self._noted.append(f"uncaught: {error.error}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self._noted.append(f"dialog {dialog.type}: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        self._check_origin(request.url)

    def _on_failure(self, request: Request) -> None:
        if request.failure != _GIVEN_UP:
            self._noted.append(f"request failed: {request.url} ({request.failure})")

    def _on_page(self, page: Page) -> None:
        page.on("crash", lambda crashed: self._noted.append(f"crashed: {crashed.url}"))
        page.on("websocket", self._on_websocket)

    def _on_websocket(self, websocket: WebSocket) -> None:
        self._check_origin(websocket.url)

    def _check_origin(self, url: str) -> None:
        if urlsplit(url).scheme not in _WITHOUT_NETWORK and _origin(url) not in self._origins:
            self._noted.append(f"request to another origin: {url}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

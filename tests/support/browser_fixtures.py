"""Fixtures and hooks of tests with pages: a conftest.py imports them all.

Whoever asks for `browser` gets it for the package, because no async test may run beside it.
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest
from playwright.sync_api import Page

from tests.support.browser import Look, RealBrowser
from tests.support.page_watch import PageWatch
from tests.support.screenshots import keep_screenshots
from tests.support.servers import MissingServerError

_watch = pytest.StashKey[PageWatch]()
_passed = pytest.StashKey[bool]()


class NewPage(Protocol):
    """The type of the fixture `new_page`."""

    def __call__(self, url: str, look: Look | None = None) -> Page:
        """Open an empty page for a server, in a context of its own.

        Args:
            url: Where the server is; addresses that the page is sent to may leave it out.
            look: What the page sees, if not what the fixture `look` says.
        """


# Within the limit of the call, so as not to wait for a page that hangs.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose pages did what they must not; say it, too, where it failed otherwise."""
    try:
        result = yield
    except BaseException:
        if watch := item.stash.get(_watch, None):
            item.add_report_section("call", "pages", "\n".join(watch.noted))
        raise
    if (watch := item.stash.get(_watch, None)) and (complaints := watch.complaints()):
        pytest.fail("\n".join(complaints), pytrace=False)
    item.stash[_passed] = True
    return result


@pytest.fixture(scope="package")
def browser() -> Iterator[RealBrowser]:
    """A real browser, shared; it starts with the first page."""
    try:
        opened = RealBrowser().__enter__()
    except MissingServerError as error:
        pytest.fail(str(error), pytrace=False)
    try:
        yield opened
    finally:
        opened.__exit__()


@pytest.fixture
def look() -> Look:
    """What pages see; tests override it by `@pytest.mark.parametrize("look", [Look(...)])`."""
    return Look()


@pytest.fixture
def watch(request: pytest.FixtureRequest) -> PageWatch:
    """What watches the pages of the test; `watch.allow` says what it provokes."""
    watch = request.node.stash[_watch] = PageWatch()
    return watch


@pytest.fixture
def new_page(
    request: pytest.FixtureRequest, browser: RealBrowser, watch: PageWatch, look: Look
) -> Iterator[NewPage]:
    """Open pages that are watched, and of which pictures are kept."""
    default = look
    with ExitStack() as contexts:

        def open_page(url: str, look: Look | None = None) -> Page:
            context = contexts.enter_context(browser.context(look or default, url))
            watch.follow(context, url)
            return context.new_page()

        yield open_page
        with browser.ended_if_it_hangs():
            failed = not request.node.stash.get(_passed, False)
            keep_screenshots(request.node.nodeid, watch.pages, failed=failed)


__all__ = ["browser", "look", "new_page", "pytest_runtest_call", "watch"]

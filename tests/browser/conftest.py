"""A running taskq, and a page of its dashboard, whose test fails if the page misbehaves."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.support.browser_fixtures import (
    NewPage,
    browser,
    look,
    new_page,
    pytest_runtest_call,
    watch,
)
from tests.support.guarded import OTHER, Guarded, guard
from tests.support.open_stacks import open_stack
from tests.support.stack import Stack

__all__ = ["browser", "look", "new_page", "pytest_runtest_call", "watch"]


@pytest.fixture(scope="package", params=["sqlite"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A running taskq, shared: leave its processes alone.

    `@pytest.mark.parametrize("stack", ["mariadb"], indirect=True)` asks for the other kind.
    """
    with open_stack(request, request.param) as opened:
        yield opened


@pytest.fixture
def page(new_page: NewPage, stack: Stack) -> Page:
    """An empty page for the shared taskq: `page.goto("/dashboard")`."""
    return new_page(stack.api_url)


@pytest.fixture(scope="package")
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    """A running taskq that asks for keys, shared: each test makes the keys that it ends."""
    settings = {"TASKQ_NAMESPACES": f"default,{OTHER}"}
    with open_stack(request, "sqlite", settings=settings) as opened:
        yield guard(opened)

"""Accessibility of a page as axe-core judges it."""

from typing import Any, Literal, cast

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_OPTIONS = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
# A colour that is on its way to another one has the contrast of neither.
_SETTLED = """
() => Promise.allSettled(document.getAnimations()
  .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
  .map((each) => each.finished))
"""


def check_axe(page: Page) -> None:
    """Fail if axe-core finds a violation of its rules in either colour scheme.

    The rules are those of WCAG 2.2 A and AA, and axe's best practices. What the page shows is
    judged: open what is folded before.

    Raises:
        AssertionError: The message names rule, element and what is wrong.
    """
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.evaluate(_SETTLED)
        answer = cast(dict[str, Any], Axe().run(page, options=_OPTIONS).response)
        found += [f"{scheme}: {line}" for each in answer["violations"] for line in _lines(each)]
    page.emulate_media(color_scheme="dark" if dark else "light")
    assert not found, f"{page.url}\n" + "\n".join(found)


def _lines(violation: dict[str, Any]) -> list[str]:
    return [
        f"{violation['id']}: {violation['help']}: {node['html']}\n{node['failureSummary']}"
        for node in violation["nodes"]
    ]

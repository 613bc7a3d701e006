"""What a reader sees of a page, and where the keyboard leads."""

from playwright.sync_api import Page

_WIDER = """
() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.body.querySelectorAll("*")]
    .filter((each) => each.getBoundingClientRect().right > width + 1)
    .map((each) => each.outerHTML.slice(0, 200));
}
"""
_FOCUS = """
() => {
  const at = document.activeElement;
  if (at === document.body || at === null) return null;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const inside = box.right > 0 && box.bottom > 0
    && box.left < innerWidth && box.top < innerHeight && box.width > 0 && box.height > 0;
  window.focused ??= new Set();
  const again = window.focused.has(at);
  window.focused.add(at);
  return {
    html: at.outerHTML.slice(0, 200), text: (at.innerText ?? "").trim(), again,
    visible: inside && (outlined || style.boxShadow !== "none"),
  };
}
"""


def too_wide(page: Page) -> list[str]:
    """The elements because of which the page as a whole scrolls sideways."""
    found: list[str] = page.evaluate(_WIDER)
    return found


def unfold(page: Page) -> None:
    """Open all that is folded."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


def tab_through(page: Page, most: int = 500) -> tuple[list[str], list[str]]:
    """Press Tab until it has been everywhere; what one has come by, and what was not seen there.

    Args:
        page: The page.
        most: Presses after which it is an error.

    Returns:
        The texts of the elements in their order, and the elements without a visible focus.
    """
    texts: list[str] = []
    unseen: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        at = page.evaluate(_FOCUS)
        if at is None or at["again"]:
            return texts, unseen
        texts.append(at["text"])
        if not at["visible"]:
            unseen.append(at["html"])
    raise AssertionError(f"{page.url}: Tab leads nowhere after {most} elements")

"""Read pages of lists as a person and a browser do: links, buttons, fields, and text."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

_VOID = frozenset({"input", "link", "meta", "br", "option"})


class Element(NamedTuple):
    """An element: its attributes, the text inside, and the elements around it."""

    tag: str
    attributes: dict[str, str]
    text: str
    around: tuple[str, ...]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Element] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._open.append((tag, given, []))
        if tag in _VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        for _, _, texts in self._open:
            texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not any(each[0] == tag for each in self._open):
            return
        while True:
            name, given, texts = self._open.pop()
            around = tuple(each[0] for each in self._open)
            self.found.append(Element(name, given, " ".join("".join(texts).split()), around))
            if name == tag:
                return


class Page:
    """A page as it was answered.

    Args:
        text: HTML.
    """

    def __init__(self, text: str) -> None:
        reader = _Reader()
        reader.feed(text)
        self.elements = reader.found

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements that have these attributes."""
        return [
            each
            for each in self.elements
            if each.tag == tag
            and all(each.attributes.get(name) == value for name, value in attributes.items())
        ]

    def titles(self) -> list[str]:
        """Return the texts of the links that are the heads of rows."""
        return [each.text for each in self.all("a") if each.around[-1] == "th"]

    def link(self, text: str) -> str | None:
        """Return where the link with a text leads, or the one whose `rel` is that text."""
        for each in self.all("a"):
            if text in (each.text, each.attributes.get("rel")):
                return each.attributes["href"]
        return None

    def buttons(self) -> dict[str, str]:
        """Return where the buttons of the list's form send it, by what they say."""
        return {
            each.text: each.attributes["formaction"]
            for each in self.all("button")
            if "formaction" in each.attributes
        }

    def sent(self, name: str) -> list[str]:
        """Return the values of the fields of a name that are not empty."""
        fields = self.all("input", name=name)
        return [each.attributes["value"] for each in fields if each.attributes.get("value")]

    def action(self, ending: str) -> str:
        """Return where the form is sent whose address, without its query, ends so."""
        for each in self.all("form"):
            if each.attributes["action"].partition("?")[0].endswith(ending):
                return each.attributes["action"]
        raise AssertionError(f"no form is sent to …{ending}")

    def counts(self) -> dict[str, str]:
        """Return the terms of lists with what stands behind them."""
        terms, values = (
            [each.text for each in self.all(tag) if "dialog" not in each.around]
            for tag in ("dt", "dd")
        )
        return dict(zip(terms, values, strict=True))

    def __iter__(self) -> Iterator[Element]:
        return iter(self.elements)

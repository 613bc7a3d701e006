"""Handlers of tests, published as a worker does it, and forms as a browser sends them."""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from taskq_server.crud import handlers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.domain.requests import SAYS_NOTHING, TaskDefaults
from taskq_server.runtime import Runtime

FROM_PAGE = {"Sec-Fetch-Site": "same-origin"}


async def publish(
    runtime: Runtime,
    name: str,
    schema: str,
    description: str = "",
    defaults: TaskDefaults = SAYS_NOTHING,
) -> None:
    """Publish a handler with a schema as JSON text."""
    found = PublishedHandler(
        name=name,
        description=description,
        payload_schema=schema,
        max_retries=3,
        timeout_seconds=300.0,
        defaults=defaults,
    )
    database, now = runtime.database, runtime.clock()
    await database.write(lambda c: handlers.publish(database, c, "default", [found], now))


class Form(HTMLParser):
    """The inputs of the form of a page, as a browser would send them untouched.

    Attributes:
        values: by name.
        options: of each select, by its name.
        marked: the names of inputs that are marked as wrong.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.options: dict[str, list[str]] = {}
        self.marked: list[str] = []
        self._is_inside = False
        self._select = self._textarea = ""
        self.feed(page.replace("\r\n", "\n"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "form":
            self._is_inside = given.get("class") == "submit"
        if not self._is_inside:
            return
        if given.get("aria-invalid"):
            self.marked.append(name)
        if tag == "input":
            self.values[name] = given.get("value") or ""
        elif tag == "select":
            self._select, self.options[name] = name, []
        elif tag == "textarea":
            self._textarea, self.values[name] = name, ""
        elif tag == "option":
            value = given.get("value") or ""
            self.options[self._select].append(value)
            if self._select not in self.values or "selected" in given:
                self.values[self._select] = value

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.values[self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._textarea:
            # A parser drops the first line feed in a textarea.
            value = self.values[self._textarea]
            self.values[self._textarea] = value.removeprefix("\n")
            self._textarea = ""
        elif tag == "form":
            self._is_inside = False

    def sent(self, **typed: str) -> dict[str, str]:
        """Return what is sent after `typed` was typed; `__` stands for `/` of the payload."""
        named = {f"/payload/{name.replace('__', '/')}": text for name, text in typed.items()}
        return {name: text.replace("\n", "\r\n") for name, text in {**self.values, **named}.items()}


def text_of(page: str) -> str:
    """Return what a person reads of a page."""
    return " ".join(_Text(page).pieces())


class _Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self._found: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self._found.append(data)

    def pieces(self) -> Iterator[str]:
        return (piece for data in self._found for piece in data.split())


def links(page: str) -> list[str]:
    """Return the addresses of a page's links."""
    return re.findall(r'<a [^>]*href="([^"]*)"', page)


def only(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return some members."""
    return {name: found[name] for name in names}

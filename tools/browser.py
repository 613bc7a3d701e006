"""Get pages with all that they load, as a browser does, and refuse what is not as it should be."""

import gzip
import http.cookiejar
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

SECONDS = 120
HTML, STYLE, SCRIPT = "text/html", "text/css", "text/javascript"
STREAM, JSON = "text/event-stream", "application/json"

_LOADS = {("link", "href"), ("script", "src"), ("img", "src"), ("use", "href"), ("iframe", "src")}
_NAMES = {"href", "src", "action", "formaction", "poster", "data"} | {
    f"hx-{word}" for word in ("get", "post", "put", "patch", "delete", "sse:connect")
}
_IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")
_IN_SCRIPTS = re.compile(r"""\b(?:from|import)\s*\(?\s*["']((?:[./]|https?:)[^"']*)["']""")


class Refusal(Exception):
    """A page or a file is not as it should be; the message says which, and why."""


@dataclass(frozen=True)
class Answer:
    """An answer with 200.

    Attributes:
        media_type: without parameters.
        body: as it was sent; of a stream, nothing.
        is_compressed: whether it was sent compressed.
    """

    media_type: str
    body: bytes
    is_compressed: bool

    @property
    def text(self) -> str:
        """What it says."""
        return (gzip.decompress(self.body) if self.is_compressed else self.body).decode()

    @property
    def weight(self) -> int:
        """Its bytes, compressed."""
        return len(self.body if self.is_compressed else gzip.compress(self.body))


class Addresses(HTMLParser):
    """The addresses of a page.

    Attributes:
        named: all of them.
        loaded: those of files that a browser gets with the page.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.named: list[str] = []
        self.loaded: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the addresses of one tag."""
        for name, value in attrs:
            if value and name in _NAMES:
                self.named.append(value)
                if (tag, name) in _LOADS:
                    self.loaded.append(value)


class Browser:
    """What a reader has, who prefers one language; it keeps cookies, and no files.

    Args:
        language: for `Accept-Language`.

    Attributes:
        cookies: that servers have set.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def see(self, url: str) -> int:
        """Get a page with all that it loads; events and JSON, which pages get, count nothing.

        Returns:
            The bytes of all that, compressed.

        Raises:
            Refusal: Something of it is missing, or is of another origin.
        """
        page = self._get(url)
        if page.media_type in (STREAM, JSON):
            return 0
        if page.media_type != HTML:
            raise Refusal(f"{url} is {page.media_type}")
        found = Addresses(page.text)
        _require_own(url, found.named)
        waiting, files = [urljoin(url, each) for each in found.loaded], dict[str, Answer]()
        while waiting:
            address = waiting.pop()
            if address not in files and not address.startswith("data:"):
                files[address] = file = self._get(address)
                loaded = loaded_by(file)
                _require_own(address, loaded)
                waiting += [urljoin(address, each) for each in loaded]
        return page.weight + sum(file.weight for file in files.values())

    def send(self, url: str, **fields: str) -> None:
        """Send a form, as a page of the same server does.

        Raises:
            Refusal: It is not taken.
        """
        self._get(url, urlencode(fields).encode())

    def _get(self, url: str, form: bytes | None = None) -> Answer:
        headers = {"Accept-Encoding": "gzip", "Accept-Language": self._language, "Accept": HTML}
        own = {} if form is None else {"Sec-Fetch-Site": "same-origin"}
        request = urllib.request.Request(url, form, {**headers, **own})
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                if is_foreign(answer.url, url):
                    raise Refusal(f"{url} leads to {answer.url}")
                media_type = answer.headers.get_content_type()
                body = b"" if media_type == STREAM else answer.read()
                return Answer(media_type, body, answer.headers["Content-Encoding"] == "gzip")
        except urllib.error.HTTPError as error:
            said = re.sub(r"<[^>]*>|\s+", " ", error.read().decode(errors="replace"))
            raise Refusal(f"{error.url} answers {error.code}: {' '.join(said.split())}") from None
        except OSError as error:
            raise Refusal(f"{url} cannot be got: {error}") from None


def loaded_by(file: Answer) -> list[str]:
    """Return the addresses of what a style or a module loads."""
    if file.media_type == STYLE:
        return _IN_STYLES.findall(file.text)
    return _IN_SCRIPTS.findall(file.text) if file.media_type == SCRIPT else []


def is_foreign(address: str, of: str) -> bool:
    """Return whether an address, as something at the URL `of` names it, is of another origin."""
    found, own = urlsplit(urljoin(of, address)), urlsplit(of)
    return found.scheme != "data" and (found.scheme, found.netloc) != (own.scheme, own.netloc)


def _require_own(url: str, addresses: list[str]) -> None:
    foreign = [each for each in addresses if is_foreign(each, url)]
    if foreign:
        raise Refusal(f"{url} names another origin: {', '.join(foreign)}")

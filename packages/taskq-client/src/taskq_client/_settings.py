"""Where the server is and what it needs to know: arguments, else variables, else defaults."""

import os
import re
from dataclasses import dataclass
from math import inf
from urllib.parse import urlsplit

from taskq_client.errors import ConfigurationError

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT = 10.0

_TOKEN = re.compile(r"[!-~]+")


class Secret:
    """A text that is shown to nobody, not even by a traceback that lists variables."""

    __slots__ = ("_text",)

    def __init__(self, text: str | None) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(…)" if self._text else "Secret()"

    def reveal(self) -> str | None:
        """Return the text."""
        return self._text


@dataclass(frozen=True)
class Settings:
    """What a channel needs to know.

    Attributes:
        url: Where the server is, without a slash at its end.
        api_key: What the server asks for.
    """

    url: str
    api_key: Secret

    @property
    def shown_url(self) -> str:
        """The url without the name and password that it may have."""
        scheme, _, rest = self.url.partition("//")
        return f"{scheme}//{rest.rpartition('@')[2]}"


def read_settings(url: str | None, api_key: Secret) -> Settings:
    """Take each setting from its argument, else from TASKQ_URL and TASKQ_API_KEY."""
    if not api_key.reveal():
        api_key = Secret(_variable("TASKQ_API_KEY"))
    if not _TOKEN.fullmatch(api_key.reveal() or "none"):
        raise ConfigurationError("the api key has characters that cannot be sent in a header")
    return Settings(_server_url(url), api_key)


def read_timeout(timeout: float | None) -> float:
    """Take the seconds of one request from the argument, else from TASKQ_TIMEOUT."""
    given: object = _variable("TASKQ_TIMEOUT") or DEFAULT_TIMEOUT
    return positive("timeout", given if timeout is None else timeout)


def positive(name: str, value: object) -> float:
    """Read a number of seconds that has to be over 0 and finite."""
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise ConfigurationError(f"{name} must be a number of seconds over 0, not {value!r}")
    return seconds


def _variable(name: str) -> str | None:
    """Return what a variable says; one that is empty is not set."""
    return os.environ.get(name, "").strip() or None


def _server_url(url: str | None) -> str:
    chosen = (url or _variable("TASKQ_URL") or DEFAULT_URL).strip().rstrip("/")
    try:
        parts = urlsplit(chosen)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or " " in chosen:
        raise ConfigurationError(f"{chosen!r} is not the url of a server such as {DEFAULT_URL}")
    return chosen

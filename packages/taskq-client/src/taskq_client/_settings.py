"""Where the server is and what it needs to know: arguments, else variables, else defaults."""

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from taskq_client._inputs import OF_A_CALL, SecretText, UrlObject, seconds, url_text
from taskq_client.errors import ConfigurationError
from taskq_client.models import Duration

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT = 10.0

_TOKEN = re.compile(r"[!-~]+")


class Secret:
    """A text that is shown to nobody, not even by a traceback that lists variables."""

    __slots__ = ("_text",)

    def __init__(self, text: str | SecretText | None) -> None:
        self._text: object = text if isinstance(text, str) else _unwrapped(text)

    def __repr__(self) -> str:
        return "Secret(…)" if self._text else "Secret()"

    def reveal(self) -> str | None:
        """Return the text."""
        if self._text is None or isinstance(self._text, str):
            return self._text
        kind = type(self._text).__name__
        raise ConfigurationError(f"api_key must be text or a SecretStr, not {kind}")


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


def read_settings(url: str | UrlObject | None, api_key: Secret) -> Settings:
    """Take each setting from its argument, else from TASKQ_URL and TASKQ_API_KEY."""
    if not api_key.reveal():
        api_key = Secret(_variable("TASKQ_API_KEY"))
    if not _TOKEN.fullmatch(api_key.reveal() or "none"):
        raise ConfigurationError("the api key has characters that cannot be sent in a header")
    return Settings(_server_url(url), api_key)


def read_timeout(timeout: Duration | None) -> float:
    """Take the seconds of one request from the argument, else from TASKQ_TIMEOUT."""
    if timeout is not None:
        return positive("timeout", timeout)
    text = _variable("TASKQ_TIMEOUT")
    try:
        return positive("TASKQ_TIMEOUT: timeout", float(text) if text else DEFAULT_TIMEOUT)
    except ValueError:
        return positive("TASKQ_TIMEOUT: timeout", text)


def positive(name: str, value: object) -> float:
    """Read how long a request, or a call with all its tries, may take."""
    return seconds(name, value, OF_A_CALL, ConfigurationError)


def _unwrapped(text: object) -> object:
    return text.get_secret_value() if hasattr(text, "get_secret_value") else text


def _variable(name: str) -> str | None:
    """Return what a variable says; one that is empty is not set."""
    return os.environ.get(name, "").strip() or None


def _server_url(url: str | UrlObject | None) -> str:
    chosen = (url_text(url) or _variable("TASKQ_URL") or DEFAULT_URL).strip().rstrip("/")
    try:
        parts = urlsplit(chosen)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or " " in chosen:
        raise ConfigurationError(f"{chosen!r} is not the url of a server such as {DEFAULT_URL}")
    return chosen

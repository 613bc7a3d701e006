"""The settings of a client: arguments, else variables, else defaults."""

import os
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import httpx

from taskq_client._inputs import OF_A_CALL, seconds
from taskq_client._inputs import shown as shown_value
from taskq_client._urls import shown
from taskq_client.errors import ConfigurationError
from taskq_client.models import Duration

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT = 10.0

_KINDS = {"url": "text or a URL object", "api_key": "text or a SecretStr"}
_TOKEN = re.compile(r"[!-~]+")
_NAMESPACE = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]{1,64}")


class Secret:
    """A text that no `repr` shows, so that no traceback with variables shows it either.

    Args:
        value: The text, a secret of pydantic, or a url of a library.

    Attributes:
        wrong_type: The name of the type of any other value, else empty.
    """

    __slots__ = ("_text", "wrong_type")

    def __init__(self, value: object) -> None:
        text = _text_of(value)
        self._text = text if isinstance(text, str) else None
        self.wrong_type = "" if text is None or isinstance(text, str) else type(value).__name__

    def __repr__(self) -> str:
        return "Secret(…)" if self._text else "Secret()"

    def reveal(self) -> str | None:
        """Return the text."""
        return self._text


@dataclass(frozen=True)
class Settings:
    """The settings of a channel.

    Attributes:
        url: Where the server is, without a slash at its end, a user name or a password.
        authorization: The header of that name, if the server wants one.
        namespace: The namespace that the requests name; empty if they name none.
    """

    url: str
    authorization: Secret
    namespace: str = ""


class _Server(NamedTuple):
    url: str
    credentials: Secret


def read_settings(url: Secret, api_key: Secret, namespace: object = None) -> Settings:
    """Take each setting from its argument, else from TASKQ_URL and TASKQ_API_KEY.

    Args:
        url: The url of the server; a secret, because it may have a user name and a password.
        api_key: The key that the server wants.
        namespace: The namespace that the requests name, if they name one.

    Raises:
        ConfigurationError: A setting cannot be used, or both name the caller.
    """
    url_name, url = _given("url", url, "TASKQ_URL")
    key_name, api_key = _given("api_key", api_key, "TASKQ_API_KEY")
    server = _server(url)
    if server is None:
        what = f"{url_name}={shown(url.reveal() or '')!r}"
        raise ConfigurationError(
            f"{what} is not the url of a server such as {DEFAULT_URL}", url_name
        )
    named = _read_namespace(namespace)
    if not api_key.reveal():
        return Settings(*server, named)
    if not _TOKEN.fullmatch(api_key.reveal() or ""):
        raise ConfigurationError(
            f"the api key ({key_name}) has characters that cannot be sent in a header", key_name
        )
    if server.credentials.reveal():
        raise ConfigurationError(
            f"the user name in the url ({url_name}) and the api key ({key_name}) both say who asks;"
            " give one of them",
            key_name,
        )
    return Settings(server.url, Secret(f"Bearer {api_key.reveal()}"), named)


def read_timeout(timeout: Duration | None) -> float:
    """Take the time limit of one request from the argument, else from TASKQ_TIMEOUT."""
    variable = _variable("TASKQ_TIMEOUT")
    if timeout is not None or variable is None:
        return positive("timeout", DEFAULT_TIMEOUT if timeout is None else timeout)
    try:
        return positive("TASKQ_TIMEOUT", float(variable))
    except ValueError:
        return positive("TASKQ_TIMEOUT", variable)


def positive(name: str, value: object) -> float:
    """Read the time limit of a request, or of a call with all its tries."""
    return seconds(name, value, OF_A_CALL, partial(ConfigurationError, setting=name))


def _read_namespace(namespace: object) -> str:
    if namespace is None:
        return ""
    if isinstance(namespace, str) and _NAMESPACE.fullmatch(namespace):
        return namespace
    raise ConfigurationError(
        f"namespace must be 1 to 64 characters without white space, not {shown_value(namespace)}",
        "namespace",
    )


def _text_of(value: object) -> object:
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    return str(value) if hasattr(value, "scheme") and hasattr(value, "host") else value


def _variable(name: str) -> str | None:
    """Return the value of a variable, or None if it is empty or not set."""
    return os.environ.get(name, "").strip() or None


def _given(argument: str, value: Secret, variable: str) -> tuple[str, Secret]:
    """Choose between an argument and a variable; return its name for errors, too."""
    if value.wrong_type:
        raise ConfigurationError(
            f"{argument} must be {_KINDS[argument]}, not {value.wrong_type}", argument
        )
    if value.reveal() or _variable(variable) is None:
        return argument, value
    return variable, Secret(_variable(variable))


def _server(url: Secret) -> _Server | None:
    # Nothing is raised here, because a traceback with variables would show the parts.
    text = (url.reveal() or DEFAULT_URL).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        user_info, _, place = parts.netloc.rpartition("@")
        bare = f"{parts.scheme}://{place}{parts.path}"
        credentials = Secret(_basic(user_info))
        usable = parts.scheme in ("http", "https") and parts.port != 0 and _names_a_host(bare)
    except (httpx.InvalidURL, ValueError):
        return None
    if not usable or parts.query or parts.fragment or " " in text:
        return None
    return _Server(bare, credentials)


def _names_a_host(url: str) -> bool:
    parsed = httpx.URL(url)
    parsed.raw_host.decode("ascii").encode("idna")  # as a socket does
    return bool(parsed.host)


def _basic(user_info: str) -> str | None:
    name, _, password = user_info.partition(":")
    credentials = f"{unquote(name)}:{unquote(password)}"
    return None if credentials == ":" else f"Basic {b64encode(credentials.encode()).decode()}"

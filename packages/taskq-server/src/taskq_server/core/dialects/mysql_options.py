"""The options in a URL of MySQL: check them, and convert them for the driver."""

import ssl
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from taskq_server.core.dialects.options import connect_arguments

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_TLS = ("ssl", "ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_cipher", "ssl_check_hostname")
_TIMEOUTS = ("connect_timeout", "read_timeout")
_OPTIONS = {*_TLS, *_TIMEOUTS, "unix_socket", "charset"}
_BAD_OPTION = (
    "has an option that the driver does not take, or names a file that cannot be read. The "
    f"options are ssl=true, {', '.join(_TLS[1:])}, unix_socket"
)


def check(url: URL) -> None:
    """Check the options, and that the files in them can be read.

    Raises:
        ValueError: the options cannot be used.
    """
    if not _takes(url):
        raise ValueError(_BAD_OPTION)


def split_tls(url: URL) -> tuple[URL, bool]:
    """Return a URL without `ssl`, and that option's value, which the driver wants as bool.

    Raises:
        ValueError: the value is neither true nor false.
    """
    value = str(url.query.get("ssl", "false")).lower()
    if value not in _TRUE | _FALSE:
        raise ValueError("ssl is true or false")
    return url.difference_update_query(["ssl"]), value in _TRUE


def _takes(url: URL) -> bool:
    if not url.query.keys() <= _OPTIONS:
        return False
    try:
        options = connect_arguments(split_tls(url)[0])
        if "ssl" in options:
            _read_tls(options["ssl"])
    except (ValueError, TypeError, OSError, SQLAlchemyError, SAWarning):
        return False
    return all(options.get(name, 1) > 0 for name in _TIMEOUTS)


def _read_tls(options: dict[str, Any]) -> None:
    context = ssl.create_default_context(cafile=options.get("ca"), capath=options.get("capath"))
    if "cert" in options or "key" in options:
        context.load_cert_chain(options.get("cert", ""), options.get("key"))
    if "cipher" in options:
        context.set_ciphers(options["cipher"])

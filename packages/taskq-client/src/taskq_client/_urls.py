"""The part of a url that may be shown, because the rest can hold passwords and search terms."""

import re


def shown(url: str) -> str:
    """Remove the user name, the password and the query of a url.

    A mistyped url shows nothing that may be a secret, either.
    """
    if "@" in url:
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url)
        return f"{scheme[0] if scheme else ''}…"
    bare = re.split("[?#]", url, maxsplit=1)[0]
    return url if bare == url else f"{bare}?…"

"""What may be shown of a url: it can hold a password, and a query what somebody looks for."""

import re


def shown(url: str) -> str:
    """Cut off a url what is not for a message: a name, a password, a query.

    It need not be a url: of one that is mistyped, too, nothing is shown that may be a secret.
    """
    if "@" in url:
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url)
        return f"{scheme[0] if scheme else ''}…"
    bare = re.split("[?#]", url, maxsplit=1)[0]
    return url if bare == url else f"{bare}?…"

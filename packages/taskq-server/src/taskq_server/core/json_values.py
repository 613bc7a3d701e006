"""How many values a JSON text has, counted without parsing it."""

_SPACE = str.maketrans("", "", " \t\n\r")


def may_exceed(text: bytes, most: int) -> bool:
    """Return whether a text can have more than `most` values; a few bytes never can."""
    if len(text) <= most:
        return False
    return text.count(b",") + text.count(b"[") + text.count(b"{") >= most


def count(text: str) -> int:
    """Return how many values there are in a text that is JSON, all that are nested included."""
    return 1 + count_part(text, inside=False)[0]


def count_part(part: str, inside: bool) -> tuple[int, bool]:
    """Count in a part of a text, which must not begin behind a backslash.

    Args:
        part: that part.
        inside: whether it begins inside a string.

    Returns:
        The values that begin in it, apart from the outermost, and whether it ends inside a string.
        An empty array or object that is cut in two counts twice.
    """
    if "\\" in part:
        part = part.replace("\\\\", "").replace('\\"', "")
    pieces = part.split('"')
    outside = '"'.join(pieces[inside::2]).translate(_SPACE)
    values = sum(map(outside.count, ",[{")) - outside.count("[]") - outside.count("{}")
    return values, inside == (len(pieces) % 2 == 1)

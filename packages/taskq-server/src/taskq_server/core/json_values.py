"""Count the values of a JSON text without parsing it."""

_SPACE = str.maketrans("", "", " \t\n\r")


def may_exceed(text: bytes, most: int) -> bool:
    """Return whether a text may have more than `most` values; the answer No is exact."""
    if len(text) <= most:
        return False
    return text.count(b",") + text.count(b"[") + text.count(b"{") >= most


def count(text: str) -> int:
    """Return the number of values in a JSON text, nested ones included."""
    return 1 + count_part(text, inside=False)[0]


def count_part(part: str, inside: bool) -> tuple[int, bool]:
    """Count the values in a part of a text, which must not begin behind a backslash.

    Args:
        part: the part.
        inside: whether the part begins inside a string.

    Returns:
        The number of values that begin in the part, without the outermost value, and whether the
        part ends inside a string. An empty array or object that is cut in two counts twice.
    """
    if "\\" in part:
        part = part.replace("\\\\", "").replace('\\"', "")
    pieces = part.split('"')
    outside = '"'.join(pieces[inside::2]).translate(_SPACE)
    values = sum(map(outside.count, ",[{")) - outside.count("[]") - outside.count("{}")
    return values, inside == (len(pieces) % 2 == 1)

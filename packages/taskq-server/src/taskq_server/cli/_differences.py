"""Differences between a database and the models, in words."""

from collections.abc import Sequence
from typing import Any

_VERBS = {"add": "is missing", "remove": "is not expected", "modify": "is another"}
_MOST = 5


def described(differences: Sequence[Any]) -> str:
    """Return the first differences as a clause each.

    Args:
        differences: what Alembic has found.
    """
    flat = [each for one in differences for each in (one if isinstance(one, list) else [one])]
    said = [_described(each) for each in flat[:_MOST]]
    if len(flat) > _MOST:
        said.append(f"and {len(flat) - _MOST} more")
    return ", ".join(said)


def _described(difference: tuple[Any, ...]) -> str:
    operation, *about = difference
    verb, _, kind = operation.partition("_")
    what = f"{kind.replace('_', ' ')} {_name(about, kind)}"
    return f"{what} {_VERBS.get(verb, verb)}"


def _name(about: Sequence[Any], kind: str) -> str:
    """Return the name of a thing of a table: alone, or after those of its table and column."""
    named = about[0] if len(about) == 1 else None
    if named is None:
        # A column comes with schema and table, a change of one with its name and details, too.
        texts = [one for one in about[1:3] if isinstance(one, str)]
        column = about[2] if len(about) == 3 else None
        return ".".join([*texts, *filter(None, [getattr(column, "name", None)])])
    table = getattr(getattr(named, "table", None), "name", None)
    name = str(getattr(named, "name", None) or "without a name")
    return name if table is None else f"{name} of {table}"

"""The options of a database's URL, as its driver gets them."""

import warnings
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import SAWarning


def connect_arguments(url: URL) -> dict[str, Any]:
    """Return what SQLAlchemy makes of the options of a URL.

    Raises:
        ValueError: one of them is there twice.
        SAWarning: SQLAlchemy would ignore one.
    """
    if not all(isinstance(value, str) for value in url.query.values()):
        raise ValueError("an option is there twice")
    with warnings.catch_warnings(action="error", category=SAWarning):
        _, options = url.get_dialect()().create_connect_args(url)
    return dict(options)

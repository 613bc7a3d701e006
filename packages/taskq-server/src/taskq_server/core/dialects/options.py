"""The options in a database's URL, in the form of its driver."""

import warnings
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import SAWarning


def connect_arguments(url: URL) -> dict[str, Any]:
    """Return the driver's arguments that SQLAlchemy derives from the options of a URL.

    Raises:
        ValueError: an option occurs twice.
        SAWarning: SQLAlchemy would ignore an option.
    """
    if not all(isinstance(value, str) for value in url.query.values()):
        raise ValueError("an option is there twice")
    with warnings.catch_warnings(action="error", category=SAWarning):
        _, options = url.get_dialect()().create_connect_args(url)
    return dict(options)

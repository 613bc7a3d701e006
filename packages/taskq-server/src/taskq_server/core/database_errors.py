"""Classify errors of the database: try again, try another server, or give up.

The codes of the drivers are in `core.dialects`.
"""

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskq_server.core import dialects
from taskq_server.core.dialects.base import Dialect, ErrorKind
from taskq_server.core.log_text import brief

_REFUSALS = {ErrorKind.REFUSAL, ErrorKind.UNWRITABLE}
_MAY_PASS = {ErrorKind.CONFLICT, ErrorKind.REFUSAL, ErrorKind.AWAY, ErrorKind.BROKEN}
_ABOUT_THE_SERVER = {
    *(ErrorKind.CONFLICT, ErrorKind.REFUSAL, ErrorKind.UNWRITABLE),
    *(ErrorKind.AWAY, ErrorKind.DENIED),
}


def is_conflict(error: BaseException) -> bool:
    """Return whether a conflict with another transaction ended this one, which may run again."""
    return _kind(error) is ErrorKind.CONFLICT


def is_refusal(error: BaseException) -> bool:
    """Return whether the server refuses writes, or everything, in its present role or mode."""
    return _kind(error) in _REFUSALS


def is_away(error: BaseException) -> bool:
    """Return whether the error may be over later."""
    if isinstance(error, OSError):
        return error.filename is None  # an error with a name is about a file of this machine
    return isinstance(error, PoolTimeout) or _kind(error) in _MAY_PASS


def is_given_up(error: BaseException) -> bool:
    """Return whether the connection was closed with the error, by the server or by taskq."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_duplicate(error: IntegrityError) -> bool:
    """Return whether a row with the same unique key exists."""
    return _kind(error) is ErrorKind.DUPLICATE


def reason(error: BaseException) -> str:
    """Return an error's class and code, and its text if that quotes no value of a row."""
    if isinstance(error, DBAPIError):
        *_, said = (error.orig or error).args or ("",)
        is_shown = _quotes_nothing(error)
    else:
        said, is_shown = error, True
    text = str(said).partition("\n")[0]
    return f"{brief(error)}: {text}" if text and is_shown else brief(error)


def _quotes_nothing(error: DBAPIError) -> bool:
    dialect, kind = _owner(error)
    return dialect is not None and (not dialect.errors_quote_values or kind in _ABOUT_THE_SERVER)


def _kind(error: BaseException) -> ErrorKind | None:
    return _owner(error)[1] if isinstance(error, DBAPIError) else None


def _owner(error: DBAPIError) -> tuple[Dialect | None, ErrorKind]:
    """Return the dialect whose driver raised an error, and the kind of the error."""
    if error.orig is not None:
        for dialect in dialects.ALL:
            kind = dialect.kind_of(error.orig)
            if kind is not None:
                return dialect, kind
    return None, ErrorKind.BROKEN

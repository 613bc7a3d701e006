"""What an error of the database means for those who asked: try again, elsewhere, or give up."""

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from taskq_server.core.log_text import brief

_CONFLICTS = frozenset(
    {
        1020,  # the record has changed since it was read
        1205,  # a lock was waited for too long
        1213,  # a deadlock, or another node of a cluster was first
        3101,  # another member of a group was first
    }
)
_CONFLICT_OF_SQLITE = "database is locked"
_DUPLICATES = {1062, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_DANGLING = {
    1216,  # instead of 1452, for who may not see the other table
    1452,  # a foreign key
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
}
_REFUSALS = frozenset(
    {
        1047,  # a node of a cluster without a majority
        1053,  # a server that shuts down
        1223,  # a read lock on everything
        1290,  # --read-only
        1792,  # a read-only transaction
        1836,  # InnoDB in read-only mode
        3032,  # offline mode
        3100,  # a member of a group without a majority
    }
)
_CROWDED = frozenset({1040, 1203, 1226})  # too many connections
_SAYS_NO_VALUE = _CONFLICTS | _REFUSALS | _CROWDED | {1044, 1045, 1049, 1130}
_FIRST_OF_SERVER = 1000
_MAY_PASS_OF_SQLITE = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
}
_OF_CLIENT = range(2000, 3000)


def is_conflict(error: BaseException) -> bool:
    """Return whether others wanted the same rows: the transaction may be run again."""
    if not isinstance(error, DBAPIError):
        return False
    return _code(error) in _CONFLICTS or _CONFLICT_OF_SQLITE in str(error.orig)


def is_refusal(error: BaseException) -> bool:
    """Return whether the server does not write, or does nothing, as long as it is what it is."""
    if not isinstance(error, DBAPIError):
        return False
    # That of a SQLite file that was moved away, or that could only be read when it was opened.
    return _code(error) in _REFUSALS or _of_sqlite(error) & 0xFF == sqlite3.SQLITE_READONLY


def is_away(error: BaseException) -> bool:
    """Return whether the server may answer later what it does not answer now."""
    if isinstance(error, OSError):
        return error.filename is None  # else it is about a file of ours
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _MAY_PASS_OF_SQLITE
    code = _code(error)
    if not isinstance(code, int) or code < _FIRST_OF_SERVER or code in _OF_CLIENT:
        return True
    return is_conflict(error) or is_refusal(error) or code in _CROWDED


def is_given_up(error: BaseException) -> bool:
    """Return whether the connection has gone with the error: lost, or left by us."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def reason(error: BaseException) -> str:
    """Return what an error is and, if that quotes no value of a row, what it says."""
    if isinstance(error, DBAPIError):
        *_, said = (error.orig or error).args or ("",)
        is_shown = isinstance(error.orig, sqlite3.Error) or _says_no_value(_code(error))
    else:
        said, is_shown = error, True
    text = str(said).partition("\n")[0]
    return f"{brief(error)}: {text}" if text and is_shown else brief(error)


def is_duplicate(error: IntegrityError) -> bool:
    """Return whether a row with a unique key is there already."""
    return _code(error) in _DUPLICATES or _of_sqlite(error) in _DUPLICATES


def is_dangling(error: IntegrityError) -> bool:
    """Return whether a row refers to one that is not there."""
    return _code(error) in _DANGLING or _of_sqlite(error) in _DANGLING


def _says_no_value(code: object) -> bool:
    return code in _SAYS_NO_VALUE or code in _OF_CLIENT


def _of_sqlite(error: DBAPIError) -> int:
    code: int = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code


def _code(error: DBAPIError) -> object:
    arguments = () if error.orig is None else error.orig.args
    return arguments[0] if arguments else None

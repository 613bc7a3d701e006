"""What an error of the database means for those who asked: try again, elsewhere, or give up."""

from sqlalchemy.exc import DBAPIError

_CONFLICTS = frozenset(
    {
        1020,  # the record has changed since it was read
        1205,  # a lock was waited for too long
        1213,  # a deadlock, or another node of a cluster was first
        3101,  # another member of a group was first
    }
)
_CONFLICT_OF_SQLITE = "database is locked"


def is_conflict(error: BaseException) -> bool:
    """Return whether others wanted the same rows: the transaction may be run again."""
    if not isinstance(error, DBAPIError):
        return False
    return _code(error) in _CONFLICTS or _CONFLICT_OF_SQLITE in str(error.orig)


def is_given_up(error: BaseException) -> bool:
    """Return whether the connection has gone with the error: lost, or left by us."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _code(error: DBAPIError) -> object:
    arguments = () if error.orig is None else error.orig.args
    return arguments[0] if arguments else None

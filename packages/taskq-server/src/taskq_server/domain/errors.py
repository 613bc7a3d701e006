"""Every error that taskq itself raises, in one tree. `api/problems.py` gives them HTTP statuses.

TaskqError
├── ConfigurationError        settings cannot work; the message says what to change
├── StartUpFailed             a worker's start-up hook raised an error
├── Rejected                  the request cannot be taken as it is
│   ├── InvalidFields         a value breaks a rule; carries pointers
│   │   ├── UnknownHandler    no worker has ever published this handler
│   │   ├── UnusableHandler   the handler's published schema cannot be used
│   │   ├── TooManyValues     the body has too many values
│   │   ├── InvalidPayload    the payload does not fit the handler's schema
│   │   └── QuotaExceeded     the namespace has no room for another name of this kind
│   ├── IdempotencyMismatch   the key was used before, with another body
│   └── InvalidCursor         the page cursor was not made for this list
├── TaskNotFound
├── IllegalTransition         the task's status does not allow this
├── VersionMismatch           If-Match names an older version
├── StaleAttempt              a worker no longer holds the attempt it wants to change
└── Unavailable               try again in `retry_after` seconds
    └── DatabaseUnavailable
        └── ConnectionLost    the connection to the database broke during a statement
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class FieldError:
    """One broken rule: where (RFC 6901 pointer), a stable code, and a sentence."""

    pointer: str
    code: str
    detail: str


class TaskqError(Exception):
    """Base of all errors raised by taskq."""


class ConfigurationError(TaskqError):
    """Settings that cannot work."""


class StartUpFailed(TaskqError):
    """A worker's start-up hook raised an error."""


class Rejected(TaskqError):
    """The request cannot be taken as it is."""


class InvalidFields(Rejected):
    """One or more values break a rule."""

    def __init__(self, detail: str, errors: Sequence[FieldError]) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the pointers: a handler may run in another process than its worker."""
        return type(self), (str(self), self.errors)


class UnknownHandler(InvalidFields):
    """No worker has ever published this handler."""


class UnusableHandler(InvalidFields):
    """The schema that a worker published for this handler cannot be used."""

    @classmethod
    def because(cls, detail: str) -> Self:
        """Return the error with this sentence about the task's handler."""
        return cls(detail, [FieldError("/handler", "unusable-handler", detail)])


class TooManyValues(InvalidFields):
    """The body has too many values, nearly always in its payload."""

    @classmethod
    def at(cls, pointer: str, most: int) -> Self:
        """Return the error of the part at `pointer`, which may have `most` values."""
        detail = f"there are more than {most} values in it, those inside of others included"
        return cls(
            f"{pointer or 'the body'}: {detail}", [FieldError(pointer, "too-many-values", detail)]
        )


class InvalidPayload(InvalidFields):
    """The payload does not fit the handler's schema."""


class QuotaExceeded(InvalidFields):
    """The namespace has as many names of this kind in use as it may."""


class IdempotencyMismatch(Rejected):
    """The idempotency key was used before, with another body."""


class InvalidCursor(Rejected):
    """The page cursor was not made for this list."""


class TaskNotFound(TaskqError):
    """No task has this id."""


class IllegalTransition(TaskqError):
    """The task's status does not allow this."""


class VersionMismatch(TaskqError):
    """The caller named an older version of the task."""


class StaleAttempt(TaskqError):
    """A worker no longer holds the attempt that it wants to change."""


class Unavailable(TaskqError):
    """A service that taskq needs is away; the same request may succeed later."""

    retry_after: int = 1


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or refuses the statement."""


class ConnectionLost(DatabaseUnavailable):
    """The connection broke during a statement: the database stopped, or refused its input."""

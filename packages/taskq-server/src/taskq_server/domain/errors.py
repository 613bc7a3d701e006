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
│   │   ├── InvalidSchedule   no schedule can have these times
│   │   ├── UnknownTimezone   there is no such time zone
│   │   ├── UniqueConflict    another task holds the unique key; carries that task
│   │   ├── QuotaExceeded     the namespace has no room, or no key may send so much at once
│   │   └── PermissionDenied  the caller's key has not the scope; carries pointers
│   ├── IdempotencyMismatch   the key was used before, with another body
│   └── InvalidCursor         the page cursor was not made for this list
├── Unauthenticated           the request shows no key that opens anything
├── RateLimited               too many requests; carries the seconds to wait
├── TaskNotFound
├── KeyNotFound
├── OperationNotFound
├── ScheduleNotFound
├── DeclaredInCode            code declares the schedule, which alone changes it
├── TooManyOperations         as many bulk operations of the namespace run as may
├── KeyEnded                  a revoked or expired key gets no new secret
├── IllegalTransition         the task's status does not allow this
├── VersionMismatch           If-Match names an older version
├── StaleAttempt              a worker no longer holds the attempt it wants to change
└── Unavailable               try again in `retry_after` seconds
    └── DatabaseUnavailable
        └── ConnectionLost    the connection to the database broke during a statement
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from taskq_server.domain import scopes
from taskq_server.domain.rate_limits import RateLimit
from taskq_server.domain.unique import Holder

AUTHORIZATION = "/header/authorization"
"""The pointer to a caller's key."""


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
    """One or more values break a rule.

    Correct the values that `errors` points at: the same request is refused again.
    """

    def __init__(self, detail: str, errors: Sequence[FieldError]) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the pointers: a handler may run in another process than its worker."""
        return type(self), (str(self), self.errors)


class UnknownHandler(InvalidFields):
    """No worker has ever published this handler.

    Compare the name with `GET /handlers`, or start a worker that has the handler: it publishes
    its handlers when it starts, and they stay known when it stops.
    """


class UnusableHandler(InvalidFields):
    """The schema that a worker published for this handler cannot be used.

    Start workers with a version of the handler whose schema can be used: the worker's log and
    `detail` say what is wrong with this one.
    """

    @classmethod
    def because(cls, detail: str) -> Self:
        """Return the error with this sentence about the task's handler."""
        return cls(detail, [FieldError("/handler", "unusable-handler", detail)])


class TooManyValues(InvalidFields):
    """The body has too many values, nearly always in its payload.

    Send less: a batch as several batches, a large payload as a reference to where its data is.
    """

    @classmethod
    def at(cls, pointer: str, most: int) -> Self:
        """Return the error of the part at `pointer`, which may have `most` values."""
        detail = f"there are more than {most} values in it, those inside of others included"
        return cls(
            f"{pointer or 'the body'}: {detail}", [FieldError(pointer, "too-many-values", detail)]
        )


class InvalidPayload(InvalidFields):
    """The payload does not fit the handler's schema.

    Correct the values that `errors` points at. `GET /handlers` has the JSON Schema of the
    payload, which is that of the newest version of the handler that a live worker runs.
    """


class InvalidSchedule(InvalidFields):
    """No schedule can have these times.

    Correct what `errors` points at: `cron` has five fields or is an alias such as `@daily`, and
    `every_seconds` is a pause; a schedule has one of them. `GET /schedules/preview` shows the times
    of either before anything is stored.
    """


class UnknownTimezone(InvalidFields):
    """There is no time zone of this name.

    Take a name from IANA's list, such as `Europe/Berlin`, letter by letter; `UTC` is one, too.
    """


class UniqueConflict(InvalidFields):
    """Another task with this unique key waits or runs.

    `task` says which, and its status. Wait until it has ended, or cancel it; or submit with
    `on_conflict` as `return` to get that task, or as `replace` to give it your payload while it
    waits. A task whose key is taken cannot be retried.
    """

    def __init__(
        self, detail: str, errors: Sequence[FieldError], holder: Holder | None = None
    ) -> None:
        """Take what the answer says.

        Args:
            detail: who holds which key.
            errors: point at the keys that are taken.
            holder: of the first of them; None if that is a task of the same batch.
        """
        super().__init__(detail, errors)
        self.holder = holder

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the holder, too."""
        return type(self), (str(self), self.errors, self.holder)


class QuotaExceeded(InvalidFields):
    """The namespace has as many of these as it may, or one batch is more than a key may send.

    `detail` names the limit. For queues and tags (`TASKQ_MAX_QUEUES`, `TASKQ_MAX_TAGS`), use one
    that is in use already; room comes back as tasks are deleted or their retention ends. For tasks
    that wait (`TASKQ_MAX_WAITING`), let workers run some, or cancel or delete them. For queues that
    are paused, of which there may be 1,000, resume some. For schedules, of which there may be
    100,000, delete some. For a batch
    with more tasks than the key's rate limit allows at all, send smaller ones.
    """


class PermissionDenied(InvalidFields):
    """The key has not the scope that this needs.

    Use a key with the scope that `errors` names, or have one made. A key never gets more scopes.
    """

    @classmethod
    def missing(cls, *scopes: str, pointer: str = AUTHORIZATION) -> Self:
        """Return the error of a caller who needs one of some scopes."""
        needed = " or ".join(scopes)
        detail = f"this needs a key with the scope {needed}"
        return cls(detail, [FieldError(pointer, "missing-scope", needed)])

    @classmethod
    def to_run(cls, handlers: Mapping[str, str]) -> Self:
        """Return the error of a caller who may not submit to some handlers, or run them again.

        Args:
            handlers: the name of the handler by the pointer to what asks for it.
        """
        needed = {name: f"{scopes.RUN}{name}" for name in handlers.values()}
        first, *others = needed.values()
        detail = f"this needs a key with the scope {first}"
        if others:
            detail += f", and {len(others)} more of that kind"
        return cls(
            detail,
            [
                FieldError(pointer, "missing-scope", needed[name])
                for pointer, name in handlers.items()
            ],
        )


class IdempotencyMismatch(Rejected):
    """The idempotency key was used before, with another body.

    Send the body of the first time, or another key: one key is one request.
    """


class InvalidCursor(Rejected):
    """The page cursor was not made for this list.

    Begin with the first page again, and leave the filters of a list as they are from page to
    page.
    """


class Unauthenticated(TaskqError):
    """The request shows no API key that opens anything.

    Send `Authorization: Bearer` and a key. A key that is unknown, wrong, expired or revoked gets
    the same answer; the server's log says which it is.
    """

    def __init__(self) -> None:
        super().__init__("send `Authorization: Bearer` and a valid API key")


class RateLimited(TaskqError):
    """Too many requests came with this key, or too many wrong keys from this address.

    Send the same request again after the seconds in `Retry-After`; `detail` says which limit it is.
    A key may send as many requests as its rate limit says (`TASKQ_RATE_LIMIT` for keys without one;
    each task of a batch counts), and wait for tasks or follow them in as many requests at once as
    `TASKQ_MAX_WAITS_PER_KEY` says.
    """

    def __init__(
        self,
        detail: str,
        *,
        retry_after: int,
        limit: RateLimit | None = None,
        remaining: int = 0,
    ) -> None:
        """Take what the headers of the answer say.

        Args:
            detail: which limit it is.
            retry_after: whole seconds to wait, at least 1.
            limit: the rate limit of the key; None if another limit is meant.
            remaining: requests that the rate limit still allows, too few for this one.
        """
        super().__init__(detail)
        self.retry_after = retry_after
        self.limit = limit
        self.remaining = remaining


class TaskNotFound(TaskqError):
    """No task has this id.

    Check the id. Tasks that have ended are deleted after `TASKQ_RETENTION_DAYS`, and tasks of
    another namespace cannot be seen.
    """


class KeyNotFound(TaskqError):
    """No key has this id.

    Check the id, which is the part of a key between `tq_` and the next `_`. A namespace's key
    manages the keys of that namespace only, and sees no others.
    """


class OperationNotFound(TaskqError):
    """No bulk operation has this id.

    Check the id. Operations that have ended are deleted after `TASKQ_RETENTION_DAYS`, and those of
    another namespace cannot be seen.
    """


class ScheduleNotFound(TaskqError):
    """No schedule has this name.

    Check the name: `GET /schedules` lists them, and those of another namespace cannot be seen.
    """


class DeclaredInCode(TaskqError):
    """The code of a handler declares this schedule, and only code changes it.

    Change the decorator of the handler and start workers with it; a schedule ends when no worker
    declares it any more. Meanwhile it can be paused, resumed and fired as any other.
    """


class TooManyOperations(TaskqError):
    """As many bulk operations of the namespace run as may at a time.

    Wait until one has ended, or stop one: `GET /bulk?state=running` lists them.
    """


class KeyEnded(TaskqError):
    """The key was revoked or has expired, and gets no new secret.

    Make another key: one that has ended opens nothing ever again.
    """


class IllegalTransition(TaskqError):
    """The task's status does not allow this.

    Get the task and look at its status: only a failed or cancelled task can be retried, a final
    one cannot be cancelled, and a running one is cancelled before it is deleted.
    """


class VersionMismatch(TaskqError):
    """The caller named an older version of the task or of the schedule.

    Get it, decide again what to change, and send its new `ETag` in `If-Match`. A schedule that was
    to be a new one (`If-None-Match: *`) is there already.
    """


class StaleAttempt(TaskqError):
    """A worker no longer holds the attempt that it wants to change."""


class Unavailable(TaskqError):
    """A service that taskq needs is away; the same request may succeed later.

    Send the same request again after the seconds in `Retry-After`, with its idempotency key if
    it submits.
    """

    retry_after: int = 1


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or refuses the statement.

    Send the same request again after the seconds in `Retry-After`, with its idempotency key if
    it submits: it may have been stored. Operators look at `GET /readyz` and the server's log.
    """


class ConnectionLost(DatabaseUnavailable):
    """The connection broke during a statement: the database stopped, or refused its input."""

"""Everything the client raises, as one tree; each class pickles.

    TaskqError
    ├── ConfigurationError           the client cannot be made: a bad url, timeout or transport
    ├── InvalidRequest               a value that cannot be sent: NaN, a set, a time without a zone
    ├── TaskqConnectionError         nothing answers there, or the connection broke
    ├── TaskqTimeout                 no answer in time
    ├── UnexpectedAnswer             not what a taskq server sends: HTML, cut JSON, a redirect
    ├── TaskqAPIError                the server said no: status, code, detail, request_id, errors
    │   ├── BadRequest           400
    │   ├── Unauthenticated      401  there is no key, or one that opens nothing
    │   ├── PermissionDenied     403  the key has not the scope: `missing_scopes`
    │   ├── NotFound             404  there is no such task
    │   ├── UnknownPath          404  nothing is there: a wrong url, or what is no id
    │   ├── Conflict             409
    │   │   ├── InvalidTransition    the task's status does not allow it
    │   │   └── UniqueConflict       another task has the unique key: `task_id`, `task_status`
    │   ├── PreconditionFailed   412  the task is no longer the version in `if_match`
    │   ├── PayloadTooLarge      413
    │   ├── ValidationFailed     422  `errors` points at the fields
    │   │   ├── UnknownHandler       no worker has published it
    │   │   └── IdempotencyMismatch  the key was used for another request
    │   ├── RateLimited          429
    │   └── ServerError          5xx
    │       └── Unavailable      502, 503, 504
    ├── TaskFailed                   `run`: the task ended as failed
    ├── TaskCancelled                `run`: the task ended as cancelled
    ├── UnexpectedResult             `run`: the result is not of the type `returns`
    ├── WaitTimeout                  the wait ended before the task; nothing was cancelled
    └── BulkTimeout                  the wait ended before the bulk operation, which goes on

The last but one and the three before it carry the `task`, the last one the `operation`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from taskq_client.bulk import BulkOperation
from taskq_client.models import Task


class TaskqError(Exception):
    """Anything that goes wrong in this package."""

    def __repr__(self) -> str:  # without the arguments, because a task among them has a payload
        return f"{type(self).__name__}({str(self)!r})"


class ConfigurationError(TaskqError):
    """The client cannot be made, or no longer be used, as it is.

    Attributes:
        setting: The argument, or the variable of the environment, that is wrong, if one is: `url`,
            `TASKQ_API_KEY` or `HTTPS_PROXY`, for instance.
    """

    def __init__(self, message: str, setting: str = "") -> None:
        super().__init__(message, setting)
        self.message = message
        self.setting = setting

    def __str__(self) -> str:
        return self.message


class InvalidRequest(TaskqError):
    """A value cannot be sent; no request was made."""


class TaskqConnectionError(TaskqError):
    """Nothing answers at the url, or the connection broke before the answer was whole."""


class TaskqTimeout(TaskqError):
    """The server did not answer in time; it may have received the request."""


class UnexpectedAnswer(TaskqError):
    """The answer is not one of a taskq server."""

    def __init__(
        self, message: str, status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, status, request_id)
        self.message = message
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        return self.message


class FieldProblem(NamedTuple):
    """The error of one field; `pointer` is a JSON pointer into the body of the request."""

    pointer: str
    code: str
    detail: str


class TaskqAPIError(TaskqError):
    """The server refused; the attributes are those of its problem document (RFC 9457).

    Attributes:
        status: The HTTP status.
        code: The stable name of the problem, empty if the answer had none.
        title: What kind of problem it is.
        detail: What it is this time.
        request_id: What to look for in the server's log.
        errors: One entry for each field that is wrong.
        retry_after: Seconds after which the server asks to try again.
    """

    def __init__(
        self,
        status: int,
        code: str = "",
        title: str = "",
        detail: str = "",
        request_id: str | None = None,
        errors: tuple[FieldProblem, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, code, title, detail, request_id, errors, retry_after)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.request_id = request_id
        self.errors = errors
        self.retry_after = retry_after

    def __str__(self) -> str:
        said = self.detail or self.title or "the server refused the request"
        facts = [f"{self.status} {self.code}".strip()]
        for field in self.errors:
            what = field.detail or field.code
            facts.append(field.pointer if what in said else f"{field.pointer}: {what}")
        facts += [f"request {self.request_id}"] if self.request_id else []
        return f"{said.rstrip('.')} ({'; '.join(facts)})"


class BadRequest(TaskqAPIError):
    """The server could not read the request."""


class Unauthenticated(TaskqAPIError):
    """The request had no key, or one that is unknown, wrong, expired or revoked."""


class PermissionDenied(TaskqAPIError):
    """The key may not do this; `missing_scopes` is what it lacks."""

    @property
    def missing_scopes(self) -> tuple[str, ...]:
        """The scopes that the key needs besides; empty if the server did not say.

        An entry such as `tasks:read or metrics:read` means any one of them.
        """
        found = (error.detail for error in self.errors if error.code == "missing-scope")
        return tuple(dict.fromkeys(found))


class NotFound(TaskqAPIError):
    """There is no such task, or none that the key may see."""


class UnknownPath(TaskqAPIError):
    """The server has nothing under this path: the url is wrong, or the id is none."""


class Conflict(TaskqAPIError):
    """The request does not fit the state of the task."""


class InvalidTransition(Conflict):
    """The task's status does not allow this."""


class UniqueConflict(Conflict):
    """Another task that waits or runs has the unique key.

    A submit with `on_conflict="reject"` is refused so, and a retry of a task whose key is taken.

    Attributes:
        task_id: The id of the other task, empty if the server did not say.
        task_status: Its status at that moment, empty if the server did not say.
    """

    task_id: str = ""
    task_status: str = ""


class PreconditionFailed(TaskqAPIError):
    """The task has changed since the version given as `if_match`."""


class PayloadTooLarge(TaskqAPIError):
    """The request's body is over the server's limit."""


class ValidationFailed(TaskqAPIError):
    """The request has values that are not allowed; `errors` lists them."""


class UnknownHandler(ValidationFailed):
    """No worker has published a handler of this name."""


class IdempotencyMismatch(ValidationFailed):
    """The idempotency key has been used for another request."""


class RateLimited(TaskqAPIError):
    """Too many requests; the next may be sent after `retry_after` seconds."""


class ServerError(TaskqAPIError):
    """The server failed."""


class Unavailable(ServerError):
    """The server, its database or its Redis is away for the moment."""


class TaskFailed(TaskqError):
    """The task ended as failed; `task.errors` has the reasons."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.task = task

    def __str__(self) -> str:
        last = self.task.errors[-1] if self.task.errors else None
        return f"{self._what}: {last.message}" if last and last.message else self._what

    def __repr__(self) -> str:  # without the message, which may be long and quote the payload
        return f"{type(self).__name__}({self._what!r})"

    @property
    def _what(self) -> str:
        task, last = self.task, self.task.errors[-1] if self.task.errors else None
        why = f": {last.type or last.outcome}" if last else ""
        return f"task {task.id} ({task.handler}) failed in attempt {task.attempt}{why}"


class TaskCancelled(TaskqError):
    """The task ended as cancelled."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.task = task

    def __str__(self) -> str:
        return f"task {self.task.id} ({self.task.handler}) was cancelled"


class UnexpectedResult(TaskqError):
    """The task succeeded, but its result cannot be read as the requested type."""

    def __init__(self, task: Task, problem: str) -> None:
        super().__init__(task, problem)
        self.task = task
        self.problem = problem

    def __str__(self) -> str:
        return f"the result of task {self.task.id} ({self.task.handler}): {self.problem}"


class WaitTimeout(TaskqError):
    """The wait ended before the task, which goes on; `task` is its last snapshot."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.task = task

    def __str__(self) -> str:
        return f"task {self.task.id} ({self.task.handler}) is still {self.task.status}"


class BulkTimeout(TaskqError):
    """The wait ended before the bulk operation, which goes on; `operation` is its last snapshot."""

    def __init__(self, operation: BulkOperation) -> None:
        super().__init__(operation)
        self.operation = operation

    def __str__(self) -> str:
        of = self.operation
        return (
            f"bulk operation {of.id} ({of.action}) is still {of.state}, {of.matched} tasks so far"
        )


_BY_CODE: Mapping[str, type[TaskqAPIError]] = {
    "not-found": UnknownPath,
    "invalid-transition": InvalidTransition,
    "unique-conflict": UniqueConflict,
    "unknown-handler": UnknownHandler,
    "idempotency-mismatch": IdempotencyMismatch,
}
_BY_STATUS: Mapping[int, type[TaskqAPIError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: PayloadTooLarge,
    422: ValidationFailed,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_class(status: int, code: str) -> type[TaskqAPIError]:
    """Choose the class of a problem: by its code, else by its status."""
    other = ServerError if status >= 500 else TaskqAPIError
    return _BY_CODE.get(code) or _BY_STATUS.get(status, other)

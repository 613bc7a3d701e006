"""Each error as an exit code and one sentence that says what to do."""

import os
import re

import click

from taskq_client.errors import (
    BulkTimeout,
    ConfigurationError,
    Conflict,
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    RateLimited,
    TaskCancelled,
    TaskFailed,
    TaskqAPIError,
    TaskqConnectionError,
    TaskqError,
    TaskqTimeout,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    UniqueConflict,
    UnknownHandler,
    UnknownPath,
    ValidationFailed,
    WaitTimeout,
)

FAILED, USAGE, REFUSED, AWAY, TIMED_OUT = 1, 2, 3, 4, 5


class NoTaskId(InvalidRequest):
    """A value is not the id of a task."""


class AmbiguousId(InvalidRequest):
    """A value begins the ids of several tasks."""


class NoSuchId(TaskqError):
    """A value begins the id of no task."""


class NoSuchOperation(TaskqError):
    """A value begins the id of no bulk operation."""


# The first class that fits counts, so a class precedes its base.
_ADVICE: tuple[tuple[type[Exception], int, str], ...] = (
    (TaskFailed, FAILED, "see 'taskq get', and run it again with 'taskq retry'"),
    (TaskCancelled, FAILED, "run it again with 'taskq retry'"),
    (WaitTimeout, TIMED_OUT, "go on waiting with 'taskq wait'"),
    (BulkTimeout, TIMED_OUT, "go on waiting with 'taskq bulk wait'"),
    (NoTaskId, USAGE, "correct the value, or find the id with 'taskq list'"),
    (AmbiguousId, USAGE, "write more of the id"),
    (InvalidRequest, USAGE, "correct the value"),
    (TaskqConnectionError, AWAY, "start the server, or name another with --url or TASKQ_URL"),
    (TaskqTimeout, AWAY, "check the server and try again"),
    (UnexpectedAnswer, AWAY, "check that --url or TASKQ_URL names a taskq server"),
    (UnknownPath, AWAY, "correct the path in --url or TASKQ_URL"),
    (Unavailable, AWAY, "try again in a moment"),
    (PermissionDenied, REFUSED, "use a key that may: 'taskq whoami' says what this one may do"),
    (NoSuchOperation, REFUSED, "find the id with 'taskq bulk list'"),
    (NoSuchId, REFUSED, "find the id with 'taskq list'"),
    (NotFound, REFUSED, "find the id with 'taskq list'"),
    (Conflict, REFUSED, "see where the task stands with 'taskq get'"),
    (UnknownHandler, REFUSED, "check the name, or start a worker that has the handler"),
    (IdempotencyMismatch, REFUSED, "use another --idempotency-key, or the same values as before"),
    (PayloadTooLarge, REFUSED, "make the payload smaller"),
    (ValidationFailed, REFUSED, "correct the values"),
    (TaskqError, REFUSED, "look for the request in the log of the server"),
)

# What has no class of its own.
_ADVICE_BY_CODE = {
    "operation-not-found": "find the id with 'taskq bulk list'",
    "schedule-not-found": "find the name with 'taskq schedules list'",
    "declared-in-code": "change the handler's @handler(...), or pause it",
    "version-mismatch": "it has changed meanwhile, so try again",
    "too-many-operations": "see them with 'taskq bulk list --state running'",
}
_ADVICE_BY_STATUS = {421: "use a name that the server's TASKQ_ALLOWED_HOSTS has"}

_NAMESPACE = "/header/taskq-namespace"

# How click asks at the end of its message.
_QUESTION = re.compile(r"[.]? [(]?(?:Did you mean|Possible options:)(?: one of:)? ?(.*?)[?]?[)]?$")

# What a ConfigurationError that names no setting is about, by its words.
_SETTINGS = (
    (r"\burl\b", "url"),
    (r"\btimeout\b", "TASKQ_TIMEOUT"),
    (r"\bapi key\b", "TASKQ_API_KEY"),
    (r"", "the variables for proxies and certificates, such as HTTPS_PROXY or SSL_CERT_FILE"),
)
_WRITTEN = {"url": "--url or TASKQ_URL", "TASKQ_URL": "--url or TASKQ_URL"}


def explain(error: Exception) -> tuple[int, str]:
    """Choose the exit code and the sentence for an error."""
    if isinstance(error, click.ClickException):
        said = _QUESTION.sub(r" (did you mean \1?)", error.format_message().rstrip())
        return error.exit_code, one_line(said, _usage_advice(error))
    code, advice = _advice(error)
    return code, one_line(str(error), advice)


def one_line(problem: str, advice: str) -> str:
    """Join problem and advice to one harmless line, because servers may send escape sequences."""
    words = " ".join(problem.split()).rstrip(".")
    return "".join(letter for letter in f"{words}; {advice}." if letter.isprintable())


def _advice(error: Exception) -> tuple[int, str]:
    if isinstance(error, ConfigurationError):
        setting = error.setting or next(
            setting for words, setting in _SETTINGS if re.search(words, str(error))
        )
        return USAGE, f"correct {_WRITTEN.get(setting, setting)}"
    if isinstance(error, TaskqAPIError) and (advice := _advice_on(error)):
        return REFUSED, advice
    return next((code, advice) for kind, code, advice in _ADVICE if isinstance(error, kind))


def _advice_on(error: TaskqAPIError) -> str:
    """Choose the advice that the class of an error is not enough for; empty if it is."""
    match error:
        case Unauthenticated():
            is_set = os.environ.get("TASKQ_API_KEY", "").strip()
            return "replace the key in TASKQ_API_KEY" if is_set else "put a key into TASKQ_API_KEY"
        case UniqueConflict(task_id=str(holder)) if holder:
            return f"wait for its end with 'taskq wait {holder}'"
        case RateLimited(retry_after=float(seconds)):
            return f"try again in {seconds:.0f} s"
        case RateLimited():
            return "try again in a moment"
        case _ if any(each.pointer.lower() == _NAMESPACE for each in error.errors):
            belongs = isinstance(error, PermissionDenied)
            return "leave --namespace out" if belongs else "name a namespace with --namespace"
        case _:
            by_code = _ADVICE_BY_CODE.get(error.code, "")
            return by_code or _ADVICE_BY_STATUS.get(error.status, "")


def _usage_advice(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"see '{context.command_path if context else 'taskq'} --help'"

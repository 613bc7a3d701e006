"""Each error as an exit code and one sentence that says what to do."""

import re

import click

from taskq_client.errors import (
    ConfigurationError,
    Conflict,
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    TaskCancelled,
    TaskFailed,
    TaskqAPIError,
    TaskqConnectionError,
    TaskqError,
    TaskqTimeout,
    Unavailable,
    UnexpectedAnswer,
    UnknownHandler,
    ValidationFailed,
    WaitTimeout,
)

FAILED, USAGE, REFUSED, AWAY, TIMED_OUT = 1, 2, 3, 4, 5


class NoTaskId(InvalidRequest):
    """What was given for the id of a task can be none."""


# The first class that fits counts, so a class stands before its base.
_ADVICE: tuple[tuple[type[Exception], int, str], ...] = (
    (TaskFailed, FAILED, "see 'taskq get', and run it again with 'taskq retry'"),
    (TaskCancelled, FAILED, "run it again with 'taskq retry'"),
    (WaitTimeout, TIMED_OUT, "go on waiting with 'taskq wait'"),
    (NoTaskId, USAGE, "correct the value, or find the id with 'taskq list'"),
    (InvalidRequest, USAGE, "correct the value"),
    (TaskqConnectionError, AWAY, "start the server, or name another with --url or TASKQ_URL"),
    (TaskqTimeout, AWAY, "check the server and try again"),
    (UnexpectedAnswer, AWAY, "check that --url or TASKQ_URL names a taskq server"),
    (Unavailable, AWAY, "try again in a moment"),
    (NotFound, REFUSED, "find the id with 'taskq list'"),
    (Conflict, REFUSED, "see where the task stands with 'taskq get'"),
    (UnknownHandler, REFUSED, "check the name, or start a worker that has the handler"),
    (IdempotencyMismatch, REFUSED, "use another --idempotency-key, or the same values as before"),
    (PayloadTooLarge, REFUSED, "make the payload smaller"),
    (ValidationFailed, REFUSED, "correct the values"),
    (TaskqError, REFUSED, "look for the request in the log of the server"),
)

# What a server says before it looks for a task: these come before the class.
_ADVICE_BY_CODE: dict[str | int, tuple[int, str]] = {
    "not-found": (AWAY, "correct the path in --url or TASKQ_URL"),
    "misdirected-request": (REFUSED, "use a name that the server's TASKQ_ALLOWED_HOSTS has"),
    401: (REFUSED, "correct TASKQ_API_KEY"),
    403: (REFUSED, "correct TASKQ_API_KEY"),
}

# What a ConfigurationError is about, by its words; one that names a variable says it itself.
_SETTINGS: tuple[tuple[str, str], ...] = (
    (r"\burl\b", "--url or TASKQ_URL"),
    (r"\btimeout\b", "TASKQ_TIMEOUT"),
    (r"\bapi key\b", "TASKQ_API_KEY"),
    (r"", "the variables for proxies and certificates, such as HTTPS_PROXY or SSL_CERT_FILE"),
)
_VARIABLE = re.compile(
    r"\b(?:TASKQ_(?:URL|API_KEY|TIMEOUT)|SSL_CERT_(?:FILE|DIR)|(?i:https?|all|no)_(?i:proxy))\b"
)


def explain(error: Exception) -> tuple[int, str]:
    """Choose the exit code and the sentence for an error."""
    if isinstance(error, click.ClickException):
        return error.exit_code, one_line(error.format_message(), _usage_advice(error))
    code, advice = _advice(error)
    return code, one_line(str(error), advice)


def one_line(problem: str, advice: str) -> str:
    """Join both to one harmless line, since what a server says may hold escape sequences."""
    words = " ".join(problem.split()).rstrip(".")
    return "".join(letter for letter in f"{words}; {advice}." if letter.isprintable())


def _advice(error: Exception) -> tuple[int, str]:
    if isinstance(error, ConfigurationError):
        return USAGE, f"correct {_setting(str(error))}"
    if isinstance(error, TaskqAPIError):
        for said in (error.code, error.status):
            if said in _ADVICE_BY_CODE:
                return _ADVICE_BY_CODE[said]
    return next((code, advice) for kind, code, advice in _ADVICE if isinstance(error, kind))


def _setting(message: str) -> str:
    if named := _VARIABLE.search(message):
        return named[0] if named[0] != "TASKQ_URL" else "--url or TASKQ_URL"
    return next(setting for words, setting in _SETTINGS if re.search(words, message))


def _usage_advice(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"see '{context.command_path if context else 'taskq'} --help'"

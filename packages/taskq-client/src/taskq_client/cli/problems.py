"""Each error as an exit code and one sentence that says what to do."""

import click

from taskq_client.errors import (
    ConfigurationError,
    Conflict,
    InvalidRequest,
    NotFound,
    TaskCancelled,
    TaskFailed,
    TaskqAPIError,
    TaskqConnectionError,
    TaskqTimeout,
    Unavailable,
    UnexpectedAnswer,
    UnknownHandler,
    ValidationFailed,
    WaitTimeout,
)

FAILED, USAGE, REFUSED, AWAY, TIMED_OUT, INTERRUPTED = 1, 2, 3, 4, 5, 130

# The first class that fits counts, so a class stands before its base.
_ADVICE: tuple[tuple[type[Exception], int, str], ...] = (
    (TaskFailed, FAILED, "see 'taskq get', and run it again with 'taskq retry'"),
    (TaskCancelled, FAILED, "run it again with 'taskq retry'"),
    (WaitTimeout, TIMED_OUT, "go on waiting with 'taskq wait'"),
    (ConfigurationError, USAGE, "correct --url or TASKQ_URL"),
    (InvalidRequest, USAGE, "correct the value"),
    (TaskqConnectionError, AWAY, "start the server, or name another with --url or TASKQ_URL"),
    (TaskqTimeout, AWAY, "check the server and try again"),
    (UnexpectedAnswer, AWAY, "check that --url or TASKQ_URL names a taskq server"),
    (Unavailable, AWAY, "try again in a moment"),
    (NotFound, REFUSED, "find the id with 'taskq list'"),
    (Conflict, REFUSED, "see where the task stands with 'taskq get'"),
    (UnknownHandler, REFUSED, "check the name, or start a worker that has the handler"),
    (ValidationFailed, REFUSED, "correct the values"),
    (TaskqAPIError, REFUSED, "look for the request in the log of the server"),
)


def explain(error: Exception) -> tuple[int, str]:
    """Choose the exit code and the sentence for an error."""
    if isinstance(error, click.ClickException):
        return error.exit_code, _sentence(error.format_message(), _usage_advice(error))
    code, advice = next((code, advice) for kind, code, advice in _ADVICE if isinstance(error, kind))
    return code, _sentence(str(error), advice)


def _usage_advice(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"see '{context.command_path if context else 'taskq'} --help'"


def _sentence(problem: str, advice: str) -> str:
    # What a server says may hold newlines or escape sequences: it stays one harmless line.
    words = " ".join(problem.split()).rstrip(".")
    return "".join(letter for letter in f"{words}; {advice}." if letter.isprintable())

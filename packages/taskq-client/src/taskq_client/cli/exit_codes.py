"""The exit codes of the command; 1 is only for a task that failed or was cancelled."""

import traceback
from collections.abc import Callable
from contextlib import suppress

import click

from taskq_client.cli.problems import USAGE, explain, one_line
from taskq_client.cli.streams import say
from taskq_client.errors import TaskqError

__all__ = ["BUG", "INTERRUPTED", "READER_GONE", "TERMINATED", "UNWRITTEN", "USAGE", "code_of"]

UNWRITTEN, BUG, INTERRUPTED, READER_GONE, TERMINATED = 6, 70, 130, 141, 143


def code_of(work: Callable[[], int]) -> int:
    """Do the work, print its error to stderr, and return the exit code."""
    try:
        return work()
    except (TaskqError, click.ClickException) as error:
        code, sentence = explain(error)
    except KeyboardInterrupt:
        code, sentence = INTERRUPTED, "interrupted; a task that was submitted goes on."
    except ConnectionError:  # stdout is a socket that was closed; one of the server is a TaskqError
        return READER_GONE
    except OSError as error:  # errors of files and of the network have become others before
        problem = f"cannot write the output: {error.strerror or error}"
        code = UNWRITTEN
        sentence = one_line(problem, "send it elsewhere; a task that was submitted goes on")
    except Exception as error:
        with suppress(OSError):
            traceback.print_exc()
        problem = f"a bug in this command: {type(error).__name__}"
        code, sentence = BUG, one_line(problem, "report it with the lines above")
    say(sentence)
    return code

"""The three standard streams, whatever this process was started with, and however they break."""

import os
import select
import sys
from contextlib import suppress
from typing import TextIO


def open_closed_streams() -> None:
    """Put nothing in the place of standard streams that are closed.

    Else the next file or socket would get their number, and be written to by whoever prints.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    # Python has none for a number that was closed when it started.
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def forget_unwritten() -> None:
    """Drop what cannot be written, because the interpreter would try once more at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _silence(stream)


def silence() -> None:
    """Let everything that is still to be written go nowhere, at once."""
    for stream in (sys.stdout, sys.stderr):
        _silence(stream)


def _silence(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # in a test it may have no descriptor
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def check_reader() -> None:
    """Find out whether anybody can still read stdout, without writing to it.

    Raises:
        BrokenPipeError: It is a pipe whose reader went away, or a terminal that was closed.
    """
    try:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):  # Windows has no poll, and tests no descriptor
        return
    if watched.poll(0):
        raise BrokenPipeError

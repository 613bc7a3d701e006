"""The three standard streams, which may be closed at the start, or break later."""

import os
import select
import shutil
import sys
import textwrap
from contextlib import suppress
from typing import TextIO

import click


def open_closed_streams() -> None:
    """Open the null device in place of closed standard streams.

    Otherwise the next file or socket gets the number of a stream, and prints are written to it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    # Python has no stream for a number that was closed at the start.
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def forget_unwritten() -> None:
    """Drop unwritable output, because the interpreter would try to write it again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _silence(stream)


def silence() -> None:
    """Send all further output to the null device."""
    for stream in (sys.stdout, sys.stderr):
        _silence(stream)


def say(sentence: str) -> None:
    """Write a sentence of the command to stderr, as wide as the terminal if it is one."""
    text = f"taskq: {sentence}"
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
    with suppress(OSError):
        click.echo(text, err=True)


def _silence(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # in a test it may have no descriptor
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def check_reader() -> None:
    """Check that stdout still has a reader, without writing to it.

    Raises:
        BrokenPipeError: The reader of the pipe is gone, or the terminal was closed.
    """
    try:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):  # Windows has no poll, and tests no descriptor
        return
    if watched.poll(0):
        raise BrokenPipeError

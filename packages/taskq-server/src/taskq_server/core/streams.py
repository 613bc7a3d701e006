"""The three standard streams, whatever this process was started with."""

import os
import sys


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

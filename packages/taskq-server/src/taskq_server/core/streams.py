"""Make sure that the three standard streams are open."""

import os
import sys


def open_closed_streams() -> None:
    """Open /dev/null in place of each closed standard stream.

    Otherwise the next file or socket would get the stream's number, and receive printed text.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    # Python sets a stream to None if its descriptor was closed at start.
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115

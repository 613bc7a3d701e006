"""CPU that a process and all that it started have used; Linux only."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process, its children, their children, and so on."""
    found = [pid]
    for one in found:  # grows meanwhile
        found += _children(one)
    return found


def used(pid: int) -> float:
    """Seconds, user and system, of the process and its family, those that have ended included.

    Raises:
        ProcessLookupError: There is no such process.
    """
    first, *others = family(pid)
    seconds = _own(first) + _ended(first)
    for other in others:
        with suppress(ProcessLookupError, FileNotFoundError):  # it ended meanwhile
            seconds += _own(other) + _ended(other)
    return seconds


def _own(pid: int) -> float:
    """What its CPU clock says, to the nanosecond: /proc/PID/stat counts in steps of 10 ms."""
    # The number of another process's clock, as clock_getcpuclockid(3) makes it.
    clock = (~pid << 3) | 2
    try:
        return time.clock_gettime(clock)
    except OSError as error:
        raise ProcessLookupError(f"process {pid} has ended") from error


def _ended(pid: int) -> float:
    """What its children used that it has waited for, and theirs."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    fields = text.rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS


def _children(pid: int) -> Iterator[int]:
    with suppress(ProcessLookupError, FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (thread / "children").read_text(encoding="utf-8").split())

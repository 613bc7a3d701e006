"""How many CPUs this process may use."""

import os
from math import ceil
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def usable(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """Return the number of CPUs that this process may use, 1 or more.

    A container is given a share of the time of all CPUs, which counts as that many CPUs.

    Args:
        groups: where control groups (version 2) are mounted.
        own: the file that names the group of this process.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    shares = [ceil(share) for share in _shares(groups, own)]
    return max(1, min([count, *shares]))


def _shares(groups: Path, own: Path) -> list[float]:
    """Return the CPUs that the group of this process and those around it may keep busy."""
    try:
        named = [line for line in own.read_text().splitlines() if line.startswith("0::/")]
    except OSError:
        return []
    shares = []
    for path in named:
        group = groups / path.removeprefix("0::/")
        for each in (group, *group.parents):
            try:
                quota, period = (each / "cpu.max").read_text().split()
                shares.append(int(quota) / int(period))
            except (OSError, ValueError, ZeroDivisionError):  # "max" is no limit
                continue
    return shares

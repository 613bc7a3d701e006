"""What the processes of a stack hold: memory, files, threads, connections; Linux only."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.faults.evidence import RowMapper, redis_keys
from tests.support.calls import inner_pid
from tests.support.stack import Stack


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one API process and one worker hold, and what they hold elsewhere."""

    megabytes: int
    files: int
    threads: int
    connections: int
    keys: int

    @classmethod
    def of(cls, stack: Stack) -> "Footprint":
        """Measure the first API process and the first worker of a stack."""
        pids = [stack.apis[0].pid, inner_pid(stack)]
        return cls(
            megabytes=sum(_status(pid, "VmRSS") for pid in pids) // 1024,
            files=sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            threads=sum(_status(pid, "Threads") for pid in pids),
            connections=RowMapper(stack).connections(),
            keys=len(redis_keys(stack)),
        )


def _status(pid: int, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition(f"{field}:")[2].split()[0])

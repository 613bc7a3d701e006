"""taskq beside itself: handlers that compute in threads, and in processes."""

from collections.abc import Mapping

from benchmarks import computing
from benchmarks.peers.taskq import Taskq


class Threads(Taskq):
    """One worker, whose handlers that compute run in threads."""

    name = "threads"

    @property
    def environment(self) -> Mapping[str, str]:
        found = super().environment
        handlers = f"{found['TASKQ_HANDLERS']},{computing.__name__}"
        return {**found, "TASKQ_HANDLERS": handlers}


class Processes(Threads):
    """One worker, whose handlers that compute run in processes."""

    name = "processes"

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, computing.IN_PROCESSES: "1"}

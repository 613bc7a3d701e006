"""Settings of workers."""

import re

from pydantic import Field, field_validator

from taskq_server.core import cpus
from taskq_server.core.addresses import Address
from taskq_server.core.settings.group import Group
from taskq_server.core.settings.lists import Names
from taskq_server.core.settings.queues import ListenedQueue, ListenedQueues
from taskq_server.domain import limits
from taskq_server.domain.caller import ALL_NAMESPACES

_NAMESPACE = re.compile(rf"\S{{1,{limits.NAMESPACE_LENGTH}}}")


class WorkSettings(Group):
    """What a worker runs, how much at once, and how it ends."""

    handlers: Names = Field((), description="modules with handlers, separated by commas")
    builtin_handlers: bool = Field(
        False,
        description="whether workers have `taskq.echo`, `taskq.sleep` and `taskq.flaky`, for "
        "trying things out; true by default for `dev`",
    )
    namespaces: Names = Field(
        (),
        description="namespaces whose tasks a worker runs, separated by commas; `*` means all, "
        "those too that are made later; empty means `TASKQ_NAMESPACE` alone",
    )
    queues: ListenedQueues = Field(
        (ListenedQueue("default"),),
        description="queues that a worker listens to, the most important first, separated by "
        "commas; `video=2` means at most two tasks of that queue at once in this worker, while "
        "others go on",
    )
    concurrency: int = Field(
        100, ge=1, le=limits.CONCURRENCY, description="most attempts that a worker runs at once"
    )
    threads: int = Field(
        8,
        ge=1,
        le=1_000,
        description="threads for sync handlers of a worker; tasks beyond that stay queued, also "
        "for other workers",
    )
    processes: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="processes per worker for handlers with `process=True`, started with it; tasks "
        "beyond that stay queued; empty means one for each CPU that the worker may use",
    )
    quarantine_processes: int = Field(
        4,
        ge=1,
        le=1_000,
        description="extra processes per worker for tasks whose previous worker died: tasks that "
        "lost one worker share up to this number, tasks that lost two get one each, up to as many "
        "again, and the validation of recursive payloads takes up to as many again",
    )
    lease_seconds: float = Field(
        10.0, ge=0.5, le=600, description="how long a worker keeps its tasks without a heartbeat"
    )
    janitor_seconds: float = Field(
        1.0, gt=0, le=60, description="time between two sweeps of the janitor"
    )
    poll_seconds: float = Field(
        0.5, gt=0, le=10, description="longest sleep of an idle worker without a doorbell"
    )
    drain_seconds: float = Field(
        20.0, ge=0, le=3600, description="how long running tasks may still finish after SIGTERM"
    )
    cancel_grace_seconds: float = Field(
        5.0, gt=0, le=600, description="how long an interrupted handler may clean up"
    )
    block_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="how long a worker's event loop may be blocked before the worker is replaced",
    )
    metrics_address: str | None = Field(
        None,
        description="address of a `worker` for its probes, `/livez` and `/readyz`, and its "
        "`/metrics`, without a key: a port on loopback, such as `9100`, or host and port, such as "
        "`0.0.0.0:9100`; port 0 takes a free one; empty means none",
    )
    hook_seconds: float = Field(10.0, gt=0, le=600, description="time limit of one hook")

    @property
    def beat_seconds(self) -> float:
        """Time between two heartbeats: a fifth of the lease."""
        return self.lease_seconds / 5

    @property
    def queue_names(self) -> tuple[str, ...]:
        """The names of the queues that a worker listens to, the most important first."""
        return tuple(queue.name for queue in self.queues)

    @property
    def queue_limits(self) -> dict[str, int]:
        """The most tasks at once of each queue that has a limit, by name."""
        return {queue.name: queue.limit for queue in self.queues if queue.limit is not None}

    @property
    def process_count(self) -> int:
        """The number of processes for handlers that ask for one."""
        return cpus.usable() if self.processes is None else self.processes

    @field_validator("namespaces")
    @classmethod
    def _possible_namespaces(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if ALL_NAMESPACES in value and len(value) > 1:
            raise ValueError("* stands for all namespaces: leave the other names out")
        if len(value) > limits.WORKER_NAMESPACES:
            raise ValueError(f"name at most {limits.WORKER_NAMESPACES} namespaces, or * for all")
        if not all(_NAMESPACE.fullmatch(namespace) for namespace in value):
            raise ValueError(
                "no task can be in such a namespace: names have 1 to "
                f"{limits.NAMESPACE_LENGTH} characters without white space"
            )
        return value

    @field_validator("metrics_address")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        return None if value is None else str(Address.parse(value))

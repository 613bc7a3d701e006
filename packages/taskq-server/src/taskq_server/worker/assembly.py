"""The parts of one worker, built in the order in which they need each other."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from taskq_server.broker.names import Names
from taskq_server.core.config import Settings
from taskq_server.domain.admission import Gate
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.sweeps import kind_of
from taskq_server.handlers.context import State
from taskq_server.handlers.registry import Place, Registry
from taskq_server.runtime import Runtime
from taskq_server.services.declared_sweep import DeclaredSweep
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.queue_meter import QueueMeter
from taskq_server.services.sweeps import SweepService
from taskq_server.worker.admission import Admission
from taskq_server.worker.arq_worker import TaskqWorker, redis_pool
from taskq_server.worker.attempts.executor import Executor, Limits
from taskq_server.worker.attempts.slots import Slots
from taskq_server.worker.capacity import Capacity
from taskq_server.worker.due_tasks import DueTasks, arguments
from taskq_server.worker.functions import RUNNER
from taskq_server.worker.hooks.runner import Hooks
from taskq_server.worker.janitor import Janitor
from taskq_server.worker.liveness.lease import Lease
from taskq_server.worker.liveness.supervisor import SupervisorLink
from taskq_server.worker.paused import PausedQueues
from taskq_server.worker.quarantine.checks import Checks
from taskq_server.worker.quarantine.pool import QuarantinePool
from taskq_server.worker.quarantine.warm import WarmPool
from taskq_server.worker.queue_limits import QueueLimits
from taskq_server.worker.runner import Runner, RunnerDeps
from taskq_server.worker.served import ServedNamespaces
from taskq_server.worker.settings import WorkerSettings
from taskq_server.worker.shares import Shares
from taskq_server.worker.vanished import Vanished


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """The parts of a worker.

    Attributes:
        deps: what its runner works with.
        runner: runs what is claimed.
        lease: is renewed.
        hooks: follow failures.
        arq: takes doorbells.
        served: the namespaces whose tasks are run.
        paused: the queues that are paused.
        wake: set to have doorbells looked for now.
        janitor: sweeps.
        shares: say which sweeps this worker takes care of.
        vanished: watches workers.
        publish: the kind of sweep that keeps handlers published.
    """

    deps: RunnerDeps
    runner: Runner
    lease: Lease
    hooks: Hooks
    arq: TaskqWorker
    served: ServedNamespaces
    paused: PausedQueues
    wake: asyncio.Event
    janitor: Janitor
    shares: Shares
    vanished: Vanished
    publish: str


def assemble(
    runtime: Runtime, names: Names, registry: Registry, state: State, parent: SupervisorLink
) -> WorkerParts:
    """Return the parts of a worker that runs nothing yet.

    Args:
        runtime: what the process works with; it needs a Redis URL.
        names: of keys in Redis.
        registry: what the worker can run.
        state: what start-up hooks prepared.
        parent: hears that the worker lives.
    """
    settings, clock = runtime.settings, runtime.clock
    served = settings.served_namespaces
    wake = asyncio.Event()
    attempts = runtime.attempts(has_failure_hooks=registry.has_failure_hooks)
    executor = Executor(settings.threads, Limits.of(settings))
    hooks = Hooks(
        attempts,
        registry,
        served,
        clock.earliest,
        runtime.tracing,
        settings.hook_seconds,
        executor.stuck.set,
    )
    metrics = runtime.metrics
    metrics.handlers.admit_all(sorted(registry.handlers))
    metrics.queues.admit_all(settings.queue_names)
    lease = Lease(settings, sorted(registry.handlers), parent=parent, observer=metrics)
    quarantine = QuarantinePool(settings, on_change=metrics.quarantine_processes.set)
    wants_processes = registry.names(Place.PROCESS)
    processes = WarmPool(settings, settings.process_count if wants_processes else 0, wake.set)
    paused = PausedQueues(settings.queue_names, runtime.queues.paused)
    rooms = {Gate.QUARANTINE: quarantine.free, Gate.PROCESS: processes.free}
    deps = RunnerDeps(
        attempts=attempts,
        submit=runtime.submit,
        registry=registry,
        executor=executor,
        quarantine=quarantine,
        processes=processes,
        checks=Checks(settings),
        admission=Admission(rooms, attempts.ring_again, paused.note),
        slots=Slots(settings.concurrency),
        tracing=runtime.tracing,
        state=state,
        namespaces=frozenset(served),
        worker_id=lambda: lease.worker_id,
        on_free=wake.set,
        on_claimed=wake.set if _is_shared(settings) else _nothing,
    )
    runner = Runner(deps)
    now = ServedNamespaces(served, runtime.namespaces)
    vanished = Vanished(
        Maintenance(runtime.database, clock.earliest, attempts, runtime.dispatcher),
        served,
        settings.lease_seconds,
    )
    able = _served(settings, registry)
    arq, janitor = _sources_of_attempts(
        runtime, names, deps, runner, lease, hooks, now, paused, wake, vanished, able
    )
    publish = kind_of("publish", able)
    shares = Shares(
        SweepService(runtime.database, clock),
        [*janitor.kinds, publish],
        settings.lease_seconds,
        lambda: lease.worker_id if lease.is_valid else None,
    )
    return WorkerParts(
        deps=deps,
        runner=runner,
        lease=lease,
        hooks=hooks,
        arq=arq,
        served=now,
        paused=paused,
        wake=wake,
        janitor=janitor,
        shares=shares,
        vanished=vanished,
        publish=publish,
    )


def _served(settings: Settings, registry: Registry) -> list[str]:
    """Return all that tells apart what workers can run, with the versions of their schemas."""
    return [
        *("namespaces", *sorted(settings.served_namespaces)),
        *("queues", *sorted(settings.queue_names)),
        *("handlers", str(registry.has_failure_hooks)),
        *(
            f"{place}\0{name}\0{registry.handlers[name].schema}"
            for place in Place
            for name in sorted(registry.names(place))
        ),
    ]


def _sources_of_attempts(
    runtime: Runtime,
    names: Names,
    deps: RunnerDeps,
    runner: Runner,
    lease: Lease,
    hooks: Hooks,
    served: ServedNamespaces,
    paused: PausedQueues,
    wake: asyncio.Event,
    vanished: Vanished,
    able: Sequence[str],
) -> tuple[TaskqWorker, Janitor]:
    settings, earliest = runtime.settings, runtime.clock.earliest
    maintenance = Maintenance(
        runtime.database, earliest, deps.attempts, runtime.dispatcher, on_paused=paused.note
    )
    names_of = {place: deps.registry.names(place) for place in Place}
    has_sync = bool(names_of[Place.THREAD])
    capacity = Capacity(
        deps,
        runner,
        lease,
        settings.concurrency,
        has_sync=has_sync,
        is_shared=_is_shared(settings),
    )
    due = DueTasks(maintenance, capacity, deps.admission, names_of, paused)
    arq = TaskqWorker(
        namespaces=served.names,
        queues=settings.queue_names,
        limits=QueueLimits(settings.queue_limits),
        keys=lambda queue: (names.queue(*queue), names.aside(*queue)),
        threads=capacity.threads,
        now_ms=lambda: int(earliest().timestamp() * 1000),
        may_have=capacity.attempts,
        may_claim=capacity.claims,
        due=due.find,
        waiting=due.waiting,
        admission=deps.admission,
        unreadable=runtime.unreadable,
        wake=wake,
        paused=paused,
        **WorkerSettings.of(settings).arguments(redis_pool(runtime.redis), {RUNNER: runner}),
    )
    janitor = Janitor(
        settings,
        maintenance,
        vanished=vanished,
        served=able,
        handlers=names_of,
        namespaces=lambda: served.names,
        heads=arq.heads,
        takes_bells=arq.takes_bells,
        has_room=deps.admission.has_room,
        start=lambda staged: arq.offer(arguments(staged), staged[0].queue),
        replay_hooks=hooks.replay,
        fire=runtime.firing.sweep,
        bulk=runtime.bulk_work.sweep,
        declared=DeclaredSweep(runtime.database, runtime.clock, settings.lease_seconds).sweep,
        measure=QueueMeter(runtime.database, earliest).measure,
        paused=paused,
    )
    return arq, janitor


def _is_shared(settings: Settings) -> bool:
    served = settings.served_namespaces
    return len(served) > 1 or ALL_NAMESPACES in served


def _nothing() -> None:
    pass

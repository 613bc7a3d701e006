"""A worker from start to stop: load, publish, lease, work, drain."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from uuid import UUID

from taskq_server.broker.listener import listen
from taskq_server.broker.names import Names
from taskq_server.broker.notifier import read_ids
from taskq_server.core.background import background, unless
from taskq_server.core.stopping import Stop
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.task import Due
from taskq_server.handlers.context import State
from taskq_server.handlers.declare import Hook
from taskq_server.handlers.registry import Registry
from taskq_server.runtime import Runtime
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.publishing import Publishing, published_by
from taskq_server.worker.arq_worker import TaskqWorker, redis_pool
from taskq_server.worker.attempts.executor import Executor, Limits
from taskq_server.worker.attempts.running import StopReason
from taskq_server.worker.attempts.slots import Slots
from taskq_server.worker.cancels import Cancels
from taskq_server.worker.doorbells import Arguments
from taskq_server.worker.functions import RUNNER
from taskq_server.worker.hooks.runner import Hooks
from taskq_server.worker.hooks.user_state import shut_down, start_up
from taskq_server.worker.janitor import Janitor
from taskq_server.worker.liveness.lease import Heartbeat, Lease
from taskq_server.worker.liveness.supervisor import SupervisorLink
from taskq_server.worker.quarantine.checks import Checks
from taskq_server.worker.quarantine.pool import QuarantinePool
from taskq_server.worker.runner import Runner, RunnerDeps
from taskq_server.worker.settings import WorkerSettings

_PAUSE_SECONDS = 1.0
_USUAL_NAMESPACE = "default"
_SLACK_SECONDS = 10.0
_log = logging.getLogger("taskq.server.worker")


async def run_worker(
    runtime: Runtime, registry: Registry, stop: Stop, parent: SupervisorLink
) -> bool:
    """Work until told to stop; then drain, and hand back what does not end in time.

    Args:
        runtime: what the process works with; it needs a Redis URL.
        registry: what this worker can run.
        stop: asks to drain, or to start no further; once it is hurried, nothing may finish.
        parent: starts this process again if it asks for that.

    Returns:
        Whether the process should be replaced: a handler or a hook in it cannot be stopped.
    """
    if runtime.settings.namespace != _USUAL_NAMESPACE:
        _log.warning(
            "TASKQ_NAMESPACE keeps nothing apart in workers yet: this one runs tasks of all "
            "namespaces of its database, and others run tasks of %r",
            runtime.settings.namespace,
        )
    if not await unless(stop.asked, runtime.naming.known()):
        return False
    names = await runtime.naming.known()
    _say_what_is_validated_elsewhere(registry)
    state = State()
    if not await start_up(registry, state, stop.asked):
        return False
    settings = runtime.settings
    hooks = 1 + len(registry.hooks_for(Hook.SHUTDOWN))
    stop.allow(
        drain=settings.drain_seconds,
        end=settings.cancel_grace_seconds + hooks * settings.hook_seconds + _SLACK_SECONDS,
    )
    try:
        worker = _Assembly(runtime, names, registry, state, parent)
        await worker.work(stop)
    finally:
        await shut_down(registry, state, settings.hook_seconds, stop.hurried)
    return worker.executor.stuck.is_set() or worker.hooks.left > 0


class _Assembly:
    """The parts of one worker, wired."""

    def __init__(
        self,
        runtime: Runtime,
        redis_names: Names,
        registry: Registry,
        state: State,
        parent: SupervisorLink,
    ) -> None:
        self.parent = parent
        settings = runtime.settings
        self.publishing = _publishing(runtime, registry)
        attempts = runtime.attempts(has_failure_hooks=registry.has_failure_hooks)
        names = sorted(registry.handlers)
        self.settings = settings
        self.runtime = runtime
        self.attempts = attempts
        earliest = runtime.clock.earliest
        self.upkeep = Maintenance(runtime.database, earliest, attempts, runtime.dispatcher)
        self.executor = Executor(settings.threads, Limits.of(settings))
        self.hooks = Hooks(
            attempts, registry, earliest, settings.hook_seconds, self.executor.stuck.set
        )
        self.quarantine = QuarantinePool(settings)
        self.checks = Checks(settings)
        self.slots = Slots(settings.concurrency)
        self.lease = Lease(
            settings, names, on_beat=self._on_beat, on_lost=self._on_lost, parent=parent
        )
        self.runner = Runner(
            RunnerDeps(
                attempts=attempts,
                submit=runtime.submit,
                registry=registry,
                executor=self.executor,
                quarantine=self.quarantine,
                checks=self.checks,
                slots=self.slots,
                state=state,
                worker_id=lambda: self.lease.worker_id,
                on_free=lambda: self.arq.wake(),
                on_end=self.hooks.follow,
            )
        )
        self.cancels = Cancels(self.runner, self.attempts.cancels_asked)
        self.redis = redis_pool(runtime.redis)
        self.redis_names = redis_names
        self.names = names
        self.sync = [name for name in names if not registry.handlers[name].is_async]
        self.others = [name for name in names if registry.handlers[name].is_async]
        self.arq = TaskqWorker(
            queues={one: redis_names.queue(settings.namespace, one) for one in settings.queues},
            asides={one: redis_names.aside(settings.namespace, one) for one in settings.queues},
            threads=self._threads,
            now_ms=lambda: int(earliest().timestamp() * 1000),
            may_have=self._may_have,
            due=self._due,
            garbage=runtime.garbage,
            **WorkerSettings.of(settings).arguments(self.redis, {RUNNER: self.runner}),
        )
        self.janitor = Janitor(
            settings,
            self.upkeep,
            self.others,
            self.sync,
            self.arq.heads,
            lambda staged: self.arq.offer(_arguments(staged)),
            self.hooks.follow,
            self.hooks.replay,
        )

    async def work(self, stop: Stop) -> None:
        """Beat, listen, sweep and work until told to stop or the process is to be replaced."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.attempts.close)
            stack.callback(self.executor.close)
            stack.push_async_callback(self.quarantine.close)
            stack.callback(self.checks.close)
            stack.push_async_callback(self.lease.stop)
            if not await unless(stop.asked, self.lease.start()):
                return
            if not await unless(stop.asked, self._publish()):
                return
            stack.push_async_callback(self.hooks.close)
            stack.push_async_callback(self.cancels.close)
            await stack.enter_async_context(
                background(
                    {
                        "listening for doorbells and cancels": self._listen,
                        "storing progress": self.runner.report_for_ever,
                        "the janitor": self.janitor.run,
                        "publishing handlers": self._keep_published,
                        "taking doorbells": self.arq.async_run,
                    }
                )
            )
            _log.info(
                "worker %s runs %d handlers on queues %s",
                self.lease.worker_id, len(self.names), ", ".join(self.settings.queues),
            )  # fmt: skip
            if not self.names:
                _log.warning(
                    "no handlers are loaded: name their modules in TASKQ_HANDLERS "
                    "(TASKQ_BUILTIN_HANDLERS=true is for trying things out)"
                )
            await self._until_recycled(stop.asked)
            await self._drain(stop.hurried)

    async def _publish(self) -> None:
        """Publish once the lease is there, so that others can see that this version lives.

        It waits for the database and for the first answer to the clock, before which a worker
        claims, stages and rescues nothing.
        """
        await _patiently(lambda: self.publishing.start(self.lease.worker_id))
        self.lease.handlers = self.publishing.row

    async def _keep_published(self) -> None:
        lease = self.lease
        while True:
            await self.publishing.look_again(
                lambda: lease.worker_id if lease.is_valid else None,
                lambda: asyncio.sleep(self.settings.lease_seconds),
            )
            lease.handlers = self.publishing.row

    async def _listen(self) -> None:
        namespace = self.settings.namespace
        channels: dict[str, Callable[[bytes], None]] = {
            self.redis_names.ring(namespace): lambda _: self.arq.wake(),
            self.redis_names.cancel(namespace): lambda data: self.cancels.hear(read_ids(data)),
        }
        await listen(self.redis, channels, self.runtime.garbage, on_connect=self.arq.wake)

    async def _until_recycled(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set, or when stuck handlers or hooks call for a new process."""
        if self.parent.exists:
            await unless(stop, self.executor.stuck.wait())
        else:
            await stop.wait()

    async def _drain(self, hurry: asyncio.Event) -> None:
        """Start nothing new, let tasks finish, then hand back the rest without charging it.

        Args:
            hurry: hands back at once.
        """
        self.arq.allow_pick_jobs = False
        self.runner.accepting = False
        _log.info(
            "the worker drains for %g s at most; told to end again, it hands its tasks back now",
            self.settings.drain_seconds,
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_seconds):
                await unless(hurry, self.runner.idle())
        self.runner.interrupt_all(StopReason.RELEASE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.cancel_grace_seconds + 2):
                await self.runner.idle()

    def _may_have(self) -> int:
        """How many attempts may be under way: those that only wait for a commit need no slot."""
        if not self.lease.is_valid:
            return 0
        claimable = self.slots.claimable
        return claimable + min(self.runner.committing, self.settings.concurrency)

    async def _due(self, queue: str, room: int) -> list[Arguments]:
        limits = ((self.others, room), (self.sync, min(room, self._threads(()))))
        try:
            found = [
                one
                for names, limit in limits
                if names and limit > 0
                for one in await self.upkeep.due(queue, names, limit)
            ]
        except DatabaseUnavailable:
            return []
        return _arguments(sorted(found, key=lambda one: one.score)[:room])

    def _threads(self, promised: Collection[UUID]) -> int:
        if not self.sync:
            return 0
        return self.executor.threads.room - len(self.runner.claims(promised))

    def _on_beat(self, beat: Heartbeat) -> None:
        self.runner.compare(beat)

    def _on_lost(self) -> None:
        self.runner.interrupt_all(StopReason.LOST)


def _say_what_is_validated_elsewhere(registry: Registry) -> None:
    names = [name for name, one in registry.handlers.items() if one.signature.doubles]
    if names:
        _log.info(
            "payloads of %s are validated in processes of their own: a union without a "
            "discriminator contains itself", ", ".join(sorted(names)),
        )  # fmt: skip


def _arguments(found: Sequence[Due]) -> list[Arguments]:
    return [(str(one.task_id), one.attempt + 1) for one in found]


async def publish(runtime: Runtime, registry: Registry) -> None:
    """Store what the only worker can run before it starts, so that the API accepts it at once."""
    await _patiently(_publishing(runtime, registry).publish_alone)


def _publishing(runtime: Runtime, registry: Registry) -> Publishing:
    settings = runtime.settings
    own = published_by(registry, settings)
    return Publishing(runtime.database, runtime.clock, settings.namespace, own)


async def _patiently(publish: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await publish()
        except DatabaseUnavailable:
            _log.debug("handlers are published when the database answers")
            await asyncio.sleep(_PAUSE_SECONDS)

"""A worker from start to stop: load, publish, lease, work, drain."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from uuid import UUID

from taskq_server.broker.listener import Callback, Listener
from taskq_server.broker.names import Names
from taskq_server.broker.notifier import read_ids
from taskq_server.core.background import background, unless
from taskq_server.core.config import Settings
from taskq_server.core.stopping import Stop
from taskq_server.domain.declarations import schedule_name
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.handlers.context import State
from taskq_server.handlers.declare import Hook
from taskq_server.handlers.registry import Place, Registry
from taskq_server.runtime import Runtime
from taskq_server.services.declared import Declared, declared_by
from taskq_server.services.publishing import Publishing, published_by
from taskq_server.worker.arq_worker import redis_pool
from taskq_server.worker.assembly import WorkerParts, assemble
from taskq_server.worker.attempts.running import StopReason
from taskq_server.worker.cancels import Cancels
from taskq_server.worker.hooks.user_state import shut_down, start_up
from taskq_server.worker.liveness.blocking import BlockingWatch
from taskq_server.worker.liveness.health import Health
from taskq_server.worker.liveness.lease import Heartbeat
from taskq_server.worker.liveness.supervisor import SupervisorLink
from taskq_server.worker.quarantine.process import END_SECONDS

_PAUSE_SECONDS = 1.0
_SLACK_SECONDS = 10.0
_log = logging.getLogger("taskq.server.worker")


async def run_worker(
    runtime: Runtime,
    registry: Registry,
    stop: Stop,
    parent: SupervisorLink,
    health: Health | None = None,
) -> bool:
    """Work until told to stop; then drain, and hand back what does not end in time.

    Args:
        runtime: what the process works with; it needs a Redis URL.
        registry: what this worker can run.
        stop: asks to drain, or to start no further; once it is hurried, nothing may finish.
        parent: starts this process again if it asks for that.
        health: hears how the worker is; None if nobody asks.

    Returns:
        Whether the process should be replaced: a handler or a hook in it cannot be stopped.
    """
    if not await unless(stop.asked, runtime.naming.known()):
        return False
    names = await runtime.naming.known()
    _say_what_is_validated_elsewhere(registry)
    publishing = _publishing(runtime, registry)
    state = State()
    if not await start_up(registry, state, stop.asked):
        return False
    settings = runtime.settings
    _say_what_goes_elsewhere(registry, settings)
    hooks = 1 + len(registry.hooks_for(Hook.SHUTDOWN))
    processes = END_SECONDS if registry.names(Place.PROCESS) else 0.0
    slack = processes + _SLACK_SECONDS
    stop.allow(
        drain=settings.drain_seconds,
        end=settings.cancel_grace_seconds + hooks * settings.hook_seconds + slack,
    )
    try:
        parts = assemble(runtime, names, registry, state, parent)
        health = health or Health(settings.block_seconds)
        await _Worker(runtime, names, parts, publishing, parent, health).work(stop)
    finally:
        await shut_down(registry, state, settings.hook_seconds, stop.hurried)
    return parts.deps.executor.stuck.is_set() or parts.hooks.left > 0


class _Worker:
    """One worker at work.

    Args:
        runtime: what the process works with.
        names: of channels in Redis.
        parts: what the worker is made of.
        publishing: of its handlers.
        parent: starts this process again if it asks for that.
        health: hears how the worker is.
    """

    def __init__(
        self,
        runtime: Runtime,
        names: Names,
        parts: WorkerParts,
        publishing: Publishing,
        parent: SupervisorLink,
        health: Health,
    ) -> None:
        self._settings = runtime.settings
        self._clock = runtime.clock
        self._redis = redis_pool(runtime.redis)
        self._unreadable = runtime.unreadable
        self._after_commit = runtime.after_commit
        self._names = names
        self._metrics = runtime.metrics
        self._parts = parts
        self._publishing = publishing
        self._parent = parent
        self._health = health
        self._cancels = Cancels(parts.runner, parts.deps.attempts.cancels_asked)

    async def work(self, stop: Stop) -> None:
        """Beat, listen, sweep and work until told to stop or the process is to be replaced."""
        parts = self._parts
        async with AsyncExitStack() as stack:
            stack.push_async_callback(parts.deps.attempts.close)
            stack.callback(parts.deps.executor.close)
            stack.push_async_callback(parts.deps.quarantine.close)
            stack.push_async_callback(parts.deps.processes.close)
            parts.deps.processes.start()
            stack.callback(parts.deps.checks.close)
            stack.push_async_callback(parts.lease.stop)
            if not await unless(stop.asked, self._start_lease()):
                return
            if not await unless(stop.asked, self._publish()):
                return
            if not await unless(stop.asked, self._learn_namespaces()):
                return
            stack.push_async_callback(parts.hooks.close)
            stack.enter_context(self._after_commit.listening(parts.hooks.follow))
            stack.push_async_callback(self._cancels.close)
            await stack.enter_async_context(
                background(
                    {
                        "listening for doorbells and cancels": self._listen,
                        "storing progress": parts.runner.report_for_ever,
                        "sharing sweeps out": parts.shares.run,
                        "the janitor": lambda: parts.janitor.run(parts.shares),
                        "publishing handlers": self._keep_published,
                        "following paused queues": lambda: parts.paused.follow(parts.arq.rung),
                        "ringing for what finds no room here": parts.deps.admission.ring_for_ever,
                        "taking doorbells": parts.arq.async_run,
                    }
                )
            )
            stack.enter_context(BlockingWatch(parts.deps.executor))
            _say_what_runs(parts.lease.worker_id, self._publishing.names, self._settings)
            _say_what_is_declared(self._publishing.declared)
            self._parent.tell_ready()
            with self._health.working(lambda: parts.lease.is_valid):
                await self._until_recycled(stop.asked)
                await self._drain(stop.hurried)

    async def _start_lease(self) -> None:
        runner = self._parts.runner

        def lost() -> None:
            self._metrics.lease_lost()
            runner.interrupt_all(StopReason.LOST)

        def beat(told: Heartbeat) -> None:
            if told.time is not None:
                self._clock.sync(told.time, told.asked, told.answered)
            runner.compare(told)
            self._parts.shares.heard(told)
            self._parts.vanished.heard(told)
            self._parts.served.heard(told.namespaces)
            self._parts.paused.heard(told.paused, told.asked, self._parts.arq.rung)

        await self._parts.lease.start(on_beat=beat, on_lost=lost)

    async def _publish(self) -> None:
        """Publish once the lease is there, so that others can see that this version lives.

        It waits for the database and for the first answer to the clock, before which a worker
        claims, stages and rescues nothing.
        """
        lease = self._parts.lease
        await _patiently(lambda: self._publishing.start(lease.worker_id))
        lease.handlers, lease.declarations = self._publishing.row, self._publishing.declarations

    async def _learn_namespaces(self) -> None:
        await _patiently(self._parts.served.start)
        self._parts.arq.serve(self._parts.served.names)

    async def _keep_published(self) -> None:
        lease = self._parts.lease
        while True:
            await self._publishing.look_again(
                lambda: lease.worker_id if self._parts.shares.holds(self._parts.publish) else None,
                lambda: asyncio.sleep(self._settings.lease_seconds),
            )
            lease.handlers = self._publishing.row

    async def _listen(self) -> None:
        served = self._parts.served
        rung = self._rings(served.names)

        def take_up(namespaces: Sequence[str]) -> None:
            rung.update(self._rings(namespaces))
            self._parts.arq.serve(namespaces)
            listener.add(self._channels(namespaces))

        def subscribed(channel: str) -> None:
            # What was rung before is found by a look.
            if channel in rung:
                self._parts.arq.rung(rung[channel])

        listener = Listener(self._channels(served.names), subscribed)
        with served.telling(take_up):
            await listener.run(self._redis, self._unreadable)

    def _rings(self, namespaces: Sequence[str]) -> dict[str, str]:
        """Return the namespace of each channel that rings for this worker."""
        return {
            self._names.ring(namespace, queue): namespace
            for namespace in namespaces
            for queue in self._settings.queue_names
        }

    def _channels(self, namespaces: Sequence[str]) -> dict[str, Callback]:
        channels: dict[str, Callback] = {}
        for namespace in namespaces:
            channels[self._names.cancel(namespace)] = self._asked_to_cancel
            channels[self._names.queues(namespace)] = self._parts.paused.look
        for channel, namespace in self._rings(namespaces).items():
            channels[channel] = partial(self._rung, namespace)
        return channels

    def _rung(self, namespace: str, _: bytes) -> None:
        self._parts.arq.rung(namespace)

    def _asked_to_cancel(self, message: bytes) -> None:
        self._cancels.note(read_ids(message))

    async def _until_recycled(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set, or when stuck handlers or hooks call for a new process."""
        if self._parent.replaces:
            await unless(stop, self._parts.deps.executor.stuck.wait())
        else:
            await stop.wait()

    async def _drain(self, hurry: asyncio.Event) -> None:
        """Start nothing new, let tasks finish, then hand back the rest without charging it.

        Args:
            hurry: hands back at once.
        """
        runner = self._parts.runner
        self._parent.tell_stopping()
        self._health.drain()
        self._parts.arq.allow_pick_jobs = False
        runner.accepting = False
        self._parts.deps.admission.give_up()
        _log.info(
            "the worker drains for %g s at most; told to end again, it hands its tasks back now",
            self._settings.drain_seconds,
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_seconds):
                await unless(hurry, runner.idle())
        runner.interrupt_all(StopReason.RELEASE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.cancel_grace_seconds + 2):
                await runner.idle()


def _say_what_runs(worker_id: UUID, handlers: Sequence[str], settings: Settings) -> None:
    _log.info(
        "worker %s runs %d handlers on queues %s of namespaces %s", worker_id, len(handlers),
        ", ".join(map(str, settings.queues)), ", ".join(settings.served_namespaces),
    )  # fmt: skip
    if not handlers:
        _log.warning(
            "no handlers are loaded: name their modules in TASKQ_HANDLERS "
            "(TASKQ_BUILTIN_HANDLERS=true is for trying things out)"
        )


def _say_what_is_declared(declared: Declared) -> None:
    if declared.by_handler:
        _log.info(
            "handlers declare schedules: %s", ", ".join(
                f"{schedule_name(name)} of namespace {where} ({schedule})"
                for name, (where, schedule) in sorted(declared.by_handler.items())
            ),
        )  # fmt: skip


def _say_what_is_validated_elsewhere(registry: Registry) -> None:
    names = [name for name, one in registry.handlers.items() if one.signature.doubles]
    if names:
        _log.info(
            "payloads of %s are validated in processes of their own: a union without a "
            "discriminator contains itself", ", ".join(sorted(names)),
        )  # fmt: skip


def _say_what_goes_elsewhere(registry: Registry, settings: Settings) -> None:
    by_default = {name: one.defaults.queue for name, one in registry.handlers.items()}
    for queue in sorted({*by_default.values()} - {"default", *settings.queue_names}):
        names = sorted(name for name, of in by_default.items() if of == queue)
        _log.info(
            "tasks of %s go to queue %s unless a submit says otherwise, and this worker does not "
            "listen to it", ", ".join(names), queue,
        )  # fmt: skip


async def publish(runtime: Runtime, registry: Registry) -> None:
    """Store what the only worker can run before it starts, so that the API accepts it at once."""
    await _patiently(_publishing(runtime, registry).publish_alone)


def _publishing(runtime: Runtime, registry: Registry) -> Publishing:
    settings = runtime.settings
    own = published_by(registry, settings)
    declared = declared_by(registry, settings)
    return Publishing(runtime.database, runtime.clock, settings.served_namespaces, own, declared)


async def _patiently(publish: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await publish()
        except DatabaseUnavailable:
            _log.debug("handlers are published when the database answers")
            await asyncio.sleep(_PAUSE_SECONDS)

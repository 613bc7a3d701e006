"""The lease of a worker, renewed from a thread of its own.

A blocked event loop must not cost the lease of handlers that only take long, so the heartbeat does
not run on the event loop. Neither may it hide a loop that stands still for good: the same thread
watches the loop, and ends the process when the loop has not answered for too long.
"""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

from taskq_server import __version__
from taskq_server.core.config import Settings
from taskq_server.core.observer import NOBODY, Observer
from taskq_server.core.processes import end_children
from taskq_server.domain.errors import DatabaseUnavailable
from taskq_server.domain.sweeps import Share
from taskq_server.domain.task import Queue
from taskq_server.domain.worker import HeldAttempt, WorkerRow
from taskq_server.services.leases import Beat, Leases, names, shown_lease
from taskq_server.worker.liveness.loop_watch import LoopWatch
from taskq_server.worker.liveness.supervisor import EXIT_BLOCKED, SupervisorLink

_SLACK_SECONDS = 5.0
_AGAIN_SECONDS = 0.5
_log = logging.getLogger("taskq.server.worker")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The answer of the database to one heartbeat.

    Attributes:
        worker_id: of this worker at that time.
        held: the attempts that it runs according to the database.
        started: when the heartbeat began, on the event loop's clock; an attempt that was claimed
            later cannot be in `held`.
        shares: who takes care of which sweep.
        paused: which of this worker's queues are paused.
        namespaces: all that there are, for a worker that serves all; else None.
        time: the database's clock, aware UTC; None if it did not say.
        asked: when it was asked for all of this, by `time.monotonic`.
        answered: when it answered.
    """

    worker_id: UUID
    held: tuple[HeldAttempt, ...]
    started: float
    shares: tuple[Share, ...] = ()
    namespaces: tuple[str, ...] | None = None
    time: datetime | None = None
    asked: float = 0.0
    answered: float = 0.0
    paused: tuple[Queue, ...] = ()

    @classmethod
    def of(cls, worker_id: UUID, started: float, beat: Beat) -> Self:
        """Return what a beat has told."""
        seen = beat.seen
        return cls(
            worker_id,
            tuple(seen.held),
            started,
            tuple(seen.shares),
            None if seen.namespaces is None else tuple(seen.namespaces),
            seen.time,
            beat.asked,
            beat.answered,
            tuple(seen.paused),
        )


class Lease:
    """This process's row in `workers`, renewed from a thread.

    A lease that others have seen run out is never renewed, because they have rescued the tasks: the
    worker drops what it ran and takes a new id. Until somebody has, a late renewal does, but
    nothing new is claimed meanwhile. `handlers` and `declarations` are what its row says, from the
    next registration on.

    Args:
        settings: lease, queues, and where the database is.
        handlers: what this worker can run.
        parent: the lease is not renewed while the parent is gone or frozen, because nobody would
            then end this process if it gets stuck. The parent is told that this thread runs.
        observer: is told of errors of the database.
    """

    def __init__(
        self,
        settings: Settings,
        handlers: list[str],
        *,
        parent: SupervisorLink,
        observer: Observer = NOBODY,
    ) -> None:
        self._settings = settings
        self.handlers = names(handlers)
        self.declarations: str | None = None
        self._parent = parent
        self._observer = observer
        self._parent_seconds = min(2.0, settings.lease_seconds / 2)
        self._silence = settings.block_seconds + _SLACK_SECONDS
        self._valid_until = 0.0
        self._missed = False
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._stop = threading.Event()
        self._registered = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop = asyncio.get_running_loop()
        self._watch = LoopWatch(self._loop)
        self._worker: WorkerRow | None = None

    @property
    def worker_id(self) -> UUID:
        """The id of this worker; a lost lease changes it."""
        assert self._worker is not None
        return self._worker.id

    @property
    def is_valid(self) -> bool:
        """Whether the lease can be relied on; without one, nothing new may be claimed."""
        return time.monotonic() < self._valid_until

    async def start(
        self, *, on_beat: Callable[[Heartbeat], None], on_lost: Callable[[], None]
    ) -> None:
        """Register, and begin to beat; returns when the first lease is granted.

        Args:
            on_beat: called on the event loop with what each beat saw.
            on_lost: called on the event loop when the lease was lost.
        """

        def run() -> None:
            asyncio.run(self._beat_for_ever(on_beat, on_lost))

        self._thread = threading.Thread(target=run, name="taskq-lease", daemon=True)
        self._thread.start()
        await asyncio.to_thread(self._registered.wait)

    async def stop(self) -> None:
        """Give the lease back and end the thread, if it was started."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def _beat_for_ever(
        self, on_beat: Callable[[Heartbeat], None], on_lost: Callable[[], None]
    ) -> None:
        leases = Leases.connect(self._settings, self._observer)
        # Beside the heartbeat, which may hang as long as the database does.
        telling = asyncio.create_task(self._tell_parent())
        try:
            await self._register(leases)
            while not await asyncio.to_thread(self._stop.wait, self._pause()):
                try:
                    await self._check_event_loop(leases)
                    if self._parent.is_alive(self._parent_seconds):
                        await self._beat(leases, on_beat, on_lost)
                except Exception:
                    _log.exception("a heartbeat failed")
            await self._unregister(leases)
        finally:
            await leases.close()
            telling.cancel()
            # Nobody speaks while shutdown hooks run.
            self._parent.tell_alive(self._silence + self._settings.drain_seconds)

    async def _tell_parent(self) -> None:
        while True:
            self._parent.tell_alive(self._silence)
            await asyncio.sleep(1)

    async def _register(self, leases: Leases) -> None:
        while not self._stop.is_set():
            # The lease counts from before the question, because the answer may come late.
            asked = time.monotonic()
            try:
                now = await leases.now()
                worker = self._row(now)
                await leases.register(worker)
            except DatabaseUnavailable:
                _log.debug("this worker registers when the database answers")
            except Exception:
                _log.exception("cannot register this worker")
            else:
                self._worker = worker
                self._valid_until = asked + self._settings.lease_seconds
                break
            await asyncio.sleep(min(1.0, self._settings.beat_seconds))
        self._registered.set()

    async def _beat(
        self,
        leases: Leases,
        on_beat: Callable[[Heartbeat], None],
        on_lost: Callable[[], None],
    ) -> None:
        assert self._worker is not None
        started = self._loop.time()
        asked = time.monotonic()
        try:
            answer = await leases.beat(self._worker, self._lease)
        except DatabaseUnavailable:
            _log.debug("a heartbeat was missed: the database does not answer")
            self._missed = True
            return
        self._missed = False
        if answer is None:
            _log.error("the lease of worker %s ran out; it starts anew", self._worker.id)
            self._valid_until = 0.0
            self._call(on_lost)
            await self._register(leases)
            return
        self._valid_until = asked + self._settings.lease_seconds
        beat = Heartbeat.of(self._worker.id, started, answer)

        def tell() -> None:
            self._watch.answer()
            on_beat(beat)

        self._call(tell)

    def _pause(self) -> float:
        beat = self._settings.beat_seconds
        # Once the database is back, the lease may run out before a whole beat.
        return min(_AGAIN_SECONDS, beat) if self._missed else beat

    async def _unregister(self, leases: Leases) -> None:
        if self._worker is not None:
            try:
                await leases.unregister(self._worker)
            except DatabaseUnavailable:
                _log.info("this worker's lease runs out by itself: it could not be given back")

    async def _check_event_loop(self, leases: Leases) -> None:
        silent = self._watch.silence()
        if silent > self._settings.block_seconds:
            _log.critical("the event loop stood still for %.0f s: this process ends", silent)
            # Programs that handlers have started would go on without them; and with the lease over,
            # others rescue the tasks at once, not when it runs out.
            end_children()
            await self._unregister(leases)
            os._exit(EXIT_BLOCKED)

    def _call(self, callback: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)

    def _row(self, now: datetime) -> WorkerRow:
        return WorkerRow(
            id=uuid4(),
            name=f"{socket.gethostname()}:{os.getpid()}",
            queues=names(self._settings.queue_names),
            handlers=self.handlers,
            namespaces=names(self._settings.served_namespaces),
            concurrency=self._settings.concurrency,
            started_at=now.astimezone(UTC),
            heartbeat_at=now,
            lease_until=now + shown_lease(self._lease),
            version=__version__,
            declarations=self.declarations,
        )

"""Take an attempt from its doorbell to its end: claim, run, commit, tell."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import assert_never
from uuid import UUID

from taskq_server.core.spans import Work
from taskq_server.core.tracing import Tracing
from taskq_server.domain import lifecycle
from taskq_server.domain.admission import ClaimRequest, NotNow
from taskq_server.domain.caller import Caller
from taskq_server.domain.errors import (
    DatabaseUnavailable,
    IllegalTransition,
    StaleAttempt,
)
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Task
from taskq_server.handlers.context import State
from taskq_server.handlers.registry import Handler, Place, Registry
from taskq_server.services.attempts import AttemptService, Claim
from taskq_server.services.reports import Completion, Report
from taskq_server.services.submission import IdempotencyKey
from taskq_server.services.submit import SubmitService
from taskq_server.services.task_log import about_task
from taskq_server.worker.admission import Admission
from taskq_server.worker.attempts.completion import commit, with_pause
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.failures import own_fault
from taskq_server.worker.attempts.result import Failed, PayloadMismatch, RunResult, note_end
from taskq_server.worker.attempts.running import RunningAttempt, StopReason, progress_json
from taskq_server.worker.attempts.slots import Slots
from taskq_server.worker.liveness.lease import Heartbeat
from taskq_server.worker.quarantine.checks import Checks
from taskq_server.worker.quarantine.pool import QuarantinePool
from taskq_server.worker.quarantine.warm import WarmPool

_Key = tuple[UUID, int]

_REPORT_SECONDS = 0.5
_log = logging.getLogger("taskq.server.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerDeps:
    """The services and pools that a runner works with."""

    attempts: AttemptService
    submit: SubmitService
    registry: Registry
    executor: Executor
    quarantine: QuarantinePool
    processes: WarmPool
    checks: Checks
    admission: Admission
    slots: Slots
    tracing: Tracing
    state: State
    namespaces: frozenset[str]
    worker_id: Callable[[], UUID]
    on_free: Callable[[], None]
    on_claimed: Callable[[], None] = lambda: None


class Runner:
    """All attempts of this worker.

    `committing` is how many of them only wait for the commit of their end, and run nothing.

    A task whose last worker vanished is quarantined: it runs in a process of its own, so that a
    poison task takes nobody down with it.
    """

    def __init__(self, deps: RunnerDeps) -> None:
        self._deps = deps
        self._handlers = frozenset(deps.registry.handlers)
        self._sync = frozenset(deps.registry.names(Place.THREAD))
        self._in_process = frozenset(deps.registry.names(Place.PROCESS))
        self._running: dict[_Key, RunningAttempt] = {}
        self._claiming: set[_Key] = set()
        self._unknown: set[_Key] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._changed = asyncio.Event()
        self.committing = 0
        self.accepting = True
        self._releasing = False

    async def run(self, task_id: UUID, attempt: int) -> bool:
        """Run an attempt if it is ours to run, and return whether; a stale doorbell is no news."""
        if not self.accepting:
            return False
        key = (task_id, attempt)
        self._busy += 1
        self._claiming.add(key)
        try:
            answer = await self._claim(task_id, attempt)
            self._claiming.discard(key)
            self._deps.on_claimed()
            self._deps.admission.answered(task_id, attempt, answer)
            if isinstance(answer, Claim):
                with about_task(answer.task):
                    await self._perform(answer)
            return isinstance(answer, Claim)
        finally:
            self._claiming.discard(key)
            self._busy -= 1
            self._changed.set()

    async def idle(self) -> None:
        """Return when nothing is being claimed, run or committed."""
        while self._busy:
            self._changed.clear()
            await self._changed.wait()

    def holds(self, task_ids: Iterable[UUID]) -> set[UUID]:
        """Return which of some tasks run here, or are being claimed."""
        return {task_id for task_id, _ in (*self._running, *self._claiming)}.intersection(task_ids)

    @property
    def claiming(self) -> int:
        """The number of attempts that are being claimed."""
        return len(self._claiming)

    def claims(self, task_ids: Iterable[UUID]) -> set[UUID]:
        """Return which of some tasks are being claimed here."""
        return {task_id for task_id, _ in self._claiming}.intersection(task_ids)

    def cancel(self, task_id: UUID) -> None:
        """Interrupt a task whose cancellation was asked for."""
        for (running_id, _), running in self._running.items():
            if running_id == task_id:
                running.interrupt(StopReason.CANCEL)

    def interrupt_all(self, cause: StopReason) -> None:
        """Interrupt everything that runs; a release, also what is being claimed now."""
        self._releasing = self._releasing or cause is StopReason.RELEASE
        for running in self._running.values():
            running.interrupt(cause)

    def compare(self, beat: Heartbeat) -> None:
        """Bring what runs here in line with what the database says runs here."""
        held = {(one.task_id, one.attempt): one for one in beat.held}
        for key, running in self._running.items():
            one = held.pop(key, None)
            if one is not None and one.cancel_requested:
                running.interrupt(StopReason.CANCEL)
            elif one is None and running.claimed_at < beat.started:
                running.interrupt(StopReason.LOST)
        for task_id, attempt in self._unknown & held.keys():
            chore = asyncio.create_task(self._give_back(task_id, attempt, beat.worker_id))
            self._chores.add(chore)
            chore.add_done_callback(self._chores.discard)
        self._unknown = held.keys() - self._claiming

    async def report_for_ever(self) -> None:
        """Store the latest progress of every attempt, twice a second."""
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            waiting = [self._report(running) for running in list(self._running.values())]
            await asyncio.gather(*waiting)

    async def _claim(self, task_id: UUID, attempt: int) -> Claim | NotNow | None:
        try:
            return await self._deps.attempts.claim(
                ClaimRequest(
                    task_id=task_id,
                    attempt=attempt,
                    worker_id=self._deps.worker_id(),
                    namespaces=self._deps.namespaces,
                    handlers=self._handlers,
                    quarantine_room=self._deps.quarantine.free,
                    sync=self._sync,
                    threads=self._deps.executor.threads.room_for,
                    in_process=self._in_process,
                    process_room=self._deps.processes.free,
                )
            )
        except DatabaseUnavailable:
            return None

    async def _perform(self, claim: Claim) -> None:
        task, submit = claim.task, self._submit_child(claim.task)
        running = RunningAttempt(task, self._deps.state, submit, claim.schedule)
        self._running[task.id, task.attempt] = running
        if self._releasing:
            running.interrupt(StopReason.RELEASE)
        try:
            handler = self._deps.registry.handlers[task.handler]
            try:
                run_result = await self._run(running, handler)
            except Exception as error:
                _log.exception("task %s ended in an error of taskq's own", task.id)
                run_result = Failed(own_fault(error))
            await self._end(running, run_result, handler)
        finally:
            del self._running[task.id, task.attempt]

    async def _run(self, running: RunningAttempt, handler: Handler) -> RunResult | None:
        slots = self._deps.slots
        with self._place_expected(running, handler):
            has_slot = await slots.take(running)
        if not has_slot:
            running.interrupt(StopReason.RELEASE)
            return self._deps.executor.result_of_run(None, handler, running)
        started = monotonic()
        try:
            with self._traced(running.task) as work:
                running.traceparent = work.traceparent
                run_result = await self._run_in_slot(running, handler)
                note_end(work, run_result)
            return run_result
        finally:
            slots.give_back(monotonic() - started)

    def _traced(self, task: Task) -> Work:
        return self._deps.tracing.run(
            task.handler,
            task.id,
            task.attempt,
            task.traceparent,
            namespace=task.namespace,
            queue=task.queue,
        )

    async def _run_in_slot(self, running: RunningAttempt, handler: Handler) -> RunResult | None:
        if handler.signature.doubles:
            with self._place_expected(running, handler):
                refusal = await self._deps.checks.run(running)
            if refusal is not None:
                return refusal
            if running.cause is not None:
                return self._deps.executor.result_of_run(None, handler, running)
        if running.task.is_quarantined:
            return await self._deps.quarantine.run(running)
        if handler.place is Place.PROCESS:
            return await self._deps.processes.run(running)
        return await self._deps.executor.run(handler, running)

    def _place_expected(
        self, running: RunningAttempt, handler: Handler
    ) -> contextlib.AbstractContextManager[None]:
        if running.task.is_quarantined:
            return self._deps.quarantine.expected(running.task)
        match handler.place:
            case Place.LOOP:
                return contextlib.nullcontext()
            case Place.THREAD:
                return self._deps.executor.threads.expected(running)
            case Place.PROCESS:
                return self._deps.processes.expected()
            case _:
                assert_never(handler.place)

    async def _end(
        self, running: RunningAttempt, run_result: RunResult | None, handler: Handler
    ) -> None:
        """Commit an end; meanwhile another attempt can start."""
        self.committing += 1
        self._deps.on_free()
        try:
            await self._report(running)
            if run_result is None:
                return
            if isinstance(run_result, PayloadMismatch):
                run_result = await with_pause(
                    self._deps.attempts, running, run_result, handler.schema
                )
            await commit(self._deps.attempts, running, run_result, handler.backoff)
        finally:
            self.committing -= 1

    async def _report(self, running: RunningAttempt) -> None:
        latest = running.take_report()
        task = running.task
        if latest is None or task.worker_id is None:
            return
        report = Report(
            task_id=task.id,
            attempt=task.attempt,
            worker_id=task.worker_id,
            progress=progress_json(latest),
        )
        running.reported = True
        try:
            await self._deps.attempts.report(report)
        except DatabaseUnavailable:
            _log.debug("progress of task %s is not stored", task.id)
        except Exception:
            _log.exception("progress of task %s cannot be stored", task.id)

    async def _give_back(self, task_id: UUID, attempt: int, worker_id: UUID) -> None:
        """Hand in what the database says we run but we do not: the claim's answer was lost.

        It counts as lost: if an error of ours forgets an attempt, that must not go on for ever.
        """
        why = f"worker {worker_id} holds this attempt but does not run it"
        completion = Completion(
            task_id=task_id,
            attempt=attempt,
            worker_id=worker_id,
            decide=lambda task, now: lifecycle.rescue(task, now=now, why=why),
        )
        try:
            await self._deps.attempts.end(completion)
        except (DatabaseUnavailable, StaleAttempt, IllegalTransition) as error:
            _log.debug("nothing to give back: %s", error)

    def _submit_child(self, parent: Task) -> Callable[[NewTask, str], "asyncio.Future[UUID]"]:
        async def submit(new: NewTask, key: str) -> UUID:
            caller = Caller(parent.namespace, key_id=parent.submitted_by, name=f"task {parent.id}")
            # The key says what is submitted: it stands for the body.
            submitted = await self._deps.submit.one(
                caller, new, key=IdempotencyKey.of(key, key), traceparent=parent.traceparent
            )
            return submitted.details.task.id

        return lambda new, key: asyncio.ensure_future(submit(new, key))

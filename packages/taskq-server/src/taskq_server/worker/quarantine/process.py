"""The worker's side of one quarantine process."""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any, assert_never
from uuid import UUID

from taskq_server.domain.errors import TaskqError
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome
from taskq_server.worker.attempts.result import (
    Cancelled,
    Failed,
    Lost,
    Released,
    RunResult,
    timed_out,
)
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from taskq_server.worker.quarantine.messages import (
    Alive,
    End,
    FromChild,
    Interrupt,
    Progress,
    Ready,
    Run,
    Shutdown,
    Submit,
    Submitted,
    ToChild,
)

Spawn = Callable[[], Awaitable[tuple[BaseProcess, Connection]]]

_START_SECONDS = 60.0
_LISTEN_SECONDS = 0.5
_END_SECONDS = 10.0
_NOT_STARTED = Failed(
    Failure(
        outcome=Outcome.FAILED,
        type="ProcessNotStarted",
        message="a process of its own for this task, which lost a worker before, did not start: "
        "the worker's log says why",
    )
)
_log = logging.getLogger("taskq.server.worker")


class QuarantineProcess:
    """A process that starts with its first attempt and ends with its last one.

    `is_open` tells whether the process may get more attempts.

    Args:
        spawn: starts the process.
        on_gone: called when the process has ended.
        grace: seconds that the result of an attempt may be overdue before the process is killed.
        silence: seconds without a message after which the process is killed.
        single: whether the process is for one task only.
    """

    def __init__(
        self,
        spawn: Spawn,
        on_gone: Callable[["QuarantineProcess"], None],
        *,
        grace: float,
        silence: float,
        single: bool,
    ) -> None:
        self.single = single
        self.is_open = True
        self._spawn = spawn
        self._tell_gone = on_gone
        self._grace = grace
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._attempts: dict[UUID, _Attempt] = {}
        self._ready: asyncio.Future[bool] = self._loop.create_future()
        self._gone = asyncio.Event()
        self._process: BaseProcess | None = None
        self._outbox: SimpleQueue[ToChild | None] = SimpleQueue()
        self._chores = {asyncio.create_task(self._start())}

    @property
    def load(self) -> int:
        """The number of attempts in the process."""
        return len(self._attempts)

    async def run(self, running: RunningAttempt) -> RunResult | None:
        """Run one attempt in the process, which ends with its last attempt."""
        task = running.task
        attempt = _Attempt(running, self._loop.create_future())
        self._attempts[task.id] = attempt
        try:
            if not await attempt.until(self._ready, _START_SECONDS):
                return _cut_short(running.cause, _NOT_STARTED, ran=False)
            if not self._ready.result():
                return _NOT_STARTED
            self._send(Run(task, running.arguments))
            if await self._ends(attempt, task.timeout_seconds):
                return attempt.ended.result()
            _log.error("task %s does not obey: its process ends", task.id)
            self.kill()
            return _cut_short(running.cause, timed_out(task.timeout_seconds))
        finally:
            del self._attempts[task.id]
            if not self._attempts:
                self._let_go()

    def kill(self) -> None:
        """End the process at once."""
        self.is_open = False
        if self._process is not None and not self._gone.is_set():
            self._process.kill()

    async def gone(self) -> None:
        """Return when the process has ended."""
        await self._gone.wait()

    async def _ends(self, attempt: "_Attempt", timeout: float) -> bool:
        """Whether the attempt ended in time; the process enforces the timeout itself, if it can."""
        if await attempt.until(attempt.ended, timeout + self._grace):
            return True
        if attempt.running.cause is not None:
            self._send(Interrupt(attempt.running.task.id, attempt.running.cause))
            await asyncio.wait({attempt.ended}, timeout=self._grace)
        return attempt.ended.done()

    async def _start(self) -> None:
        try:
            self._process, connection = await self._spawn()
        except Exception as error:
            _log.error("a quarantine process cannot be started: %s", error)
            self._on_gone()
            return
        for work in (self._listen, self._send_all):
            thread = threading.Thread(
                target=work,
                args=(self._process, connection),
                name="taskq-quarantine",
                daemon=True,
            )
            thread.start()

    def _listen(self, process: BaseProcess, connection: Connection) -> None:
        """Pass the messages of the process to the loop, until it ends; runs in a thread."""
        watched: list[Any] = [connection, process.sentinel]
        silent = -_START_SECONDS
        while True:
            ready = wait(watched, timeout=_LISTEN_SECONDS)
            if not ready:
                # In rounds, not by the clock, because both processes may have been frozen.
                silent += _LISTEN_SECONDS
                if silent > self._silence:
                    _log.error("quarantine process %s gives no sign of life", process.pid)
                    break
                continue
            silent = 0.0
            if connection not in ready:
                if not _exists(process.pid):
                    break
                watched = [connection]  # the forkserver has ended, but the process has not
                continue
            try:
                message: FromChild = connection.recv()
            except (EOFError, OSError):
                break
            self._loop.call_soon_threadsafe(self._on, message)
        self._outbox.put(None)
        process.join(0 if silent else _END_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_gone)

    def _send_all(self, process: BaseProcess, connection: Connection) -> None:
        """Send the messages of the outbox, in a thread, because the process may read none."""
        while (message := self._outbox.get()) is not None:
            try:
                connection.send(message)
            except OSError:
                _log.debug("quarantine process %s ended before it read %s", process.pid, message)

    def _on(self, message: FromChild) -> None:
        match message:
            case Ready():
                self._ready.set_result(True)
            case Alive():
                pass
            case Progress(task_id=task_id, report=report):
                if attempt := self._attempts.get(task_id):
                    attempt.running.note(report)
            case Submit():
                chore = asyncio.create_task(self._submit(message))
                self._chores.add(chore)
                chore.add_done_callback(self._chores.discard)
            case End(task_id=task_id, run_result=run_result):
                if attempt := self._attempts.get(task_id):
                    attempt.end(run_result)
            case _:
                assert_never(message)

    def _on_gone(self) -> None:
        self.is_open = False
        self._gone.set()
        self._tell_gone(self)
        if not self._ready.done():
            self._ready.set_result(False)
        for attempt in self._attempts.values():
            attempt.end(Lost())

    async def _submit(self, message: Submit) -> None:
        attempt = self._attempts.get(message.task_id)
        if attempt is None:
            return
        answer: UUID | Exception
        try:
            answer = await attempt.running.submit(message.new, message.key)
        except TaskqError as error:
            answer = error
        except Exception as error:
            answer = TaskqError(str(error))  # taskq's errors can be pickled, others perhaps not
        self._send(Submitted(message.number, answer))

    def _let_go(self) -> None:
        """Let the process run its shutdown hooks and end."""
        self.is_open = False
        self._send(Shutdown())
        self._loop.call_later(_END_SECONDS, self.kill)

    def _send(self, message: ToChild) -> None:
        self._outbox.put(message)


@dataclass(frozen=True, slots=True)
class _Attempt:
    running: RunningAttempt
    ended: asyncio.Future[RunResult | None]

    def end(self, run_result: RunResult | None) -> None:
        if not self.ended.done():
            self.ended.set_result(run_result)

    async def until(self, event: asyncio.Future[Any], seconds: float) -> bool:
        """Whether the event happens in time, and before the attempt is interrupted."""
        interruption = asyncio.create_task(self.running.interrupted.wait())
        try:
            await asyncio.wait(
                {event, interruption}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            interruption.cancel()
        return event.done()


def _exists(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    return True


def _cut_short(
    cause: StopReason | None, otherwise: RunResult, *, ran: bool = True
) -> RunResult | None:
    """The result of an attempt that ended without a result of its handler."""
    match cause:
        case StopReason.CANCEL:
            return Cancelled()
        case StopReason.RELEASE:
            return Released(ran)
        case StopReason.LOST:
            return None
        case StopReason.TIMEOUT | None:
            return otherwise
        case _:
            assert_never(cause)

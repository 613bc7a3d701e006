"""The worker's side of one process that runs attempts."""

import asyncio
import logging
import math
import os
import threading
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any, assert_never
from uuid import UUID

from taskq_server.core import spans
from taskq_server.core.log_context import apart
from taskq_server.domain.errors import TaskqError
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome
from taskq_server.services.task_log import about_task
from taskq_server.worker.attempts.result import Failed, RunResult, timed_out
from taskq_server.worker.attempts.running import RunningAttempt
from taskq_server.worker.quarantine.attempt import ProcessAttempt, cut_short
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

END_SECONDS = 10.0
"""How long a process gets for its shutdown hooks."""

_START_SECONDS = 60.0
_LISTEN_SECONDS = 0.5
_NOT_STARTED = Failed(
    Failure(
        outcome=Outcome.FAILED,
        type="ProcessNotStarted",
        message="a process of its own for this task, which lost a worker before, did not start: "
        "the worker's log says why",
    )
)
_log = logging.getLogger("taskq.server.worker")


class AttemptProcess:
    """A process that starts at once, and unless it is kept, ends with its last attempt.

    `is_open` tells whether the process may get more attempts, `has_run` whether it had any.

    Args:
        spawn: starts the process.
        on_gone: called when the process has ended.
        lost: returns the result of an attempt that it had then; also gets its exit status.
        grace: seconds that the result of an attempt may be overdue before the process is killed.
        silence: seconds without a message after which the process is killed; infinite for one that
            says nothing while it has nothing to say.
        single: whether the process is for one task only.
        on_ready: called when the process can run attempts; None ends it with its last attempt.
    """

    def __init__(
        self,
        spawn: Spawn,
        on_gone: Callable[["AttemptProcess"], None],
        *,
        lost: Callable[[RunningAttempt, int | None], RunResult | None],
        grace: float,
        silence: float = math.inf,
        single: bool = False,
        on_ready: Callable[["AttemptProcess"], None] | None = None,
    ) -> None:
        self.single = single
        self.is_open = True
        self.has_run = False
        self._spawn = spawn
        self._tell_gone = on_gone
        self._tell_ready = on_ready
        self._lost = lost
        self._grace = grace
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._attempts: dict[UUID, ProcessAttempt] = {}
        self._ready: asyncio.Future[bool] = self._loop.create_future()
        self._gone = asyncio.Event()
        self._is_killed = False
        self._process: BaseProcess | None = None
        self._outbox: SimpleQueue[ToChild | None] = SimpleQueue()
        self._chores = {asyncio.create_task(self._start(), context=apart("processes for attempts"))}

    @property
    def load(self) -> int:
        """The number of attempts in the process."""
        return len(self._attempts)

    async def run(self, running: RunningAttempt) -> RunResult | None:
        """Run one attempt in the process, and return its result."""
        task = running.task
        attempt = ProcessAttempt(running, self._loop.create_future())
        self._attempts[task.id] = attempt
        self.has_run = True
        try:
            if not await attempt.until(self._ready, _START_SECONDS):
                return cut_short(running.cause, _NOT_STARTED, ran=False)
            if not self._ready.result():
                return _NOT_STARTED
            self._send(Run(task, running.arguments, spans.here(), running.schedule))
            if await self._ends(attempt, task.timeout_seconds):
                return attempt.ended.result()
            _log.error("task %s does not obey: its process ends", task.id)
            self.kill()
            return cut_short(running.cause, timed_out(task.timeout_seconds))
        finally:
            del self._attempts[task.id]
            if not self._attempts and self._tell_ready is None:
                self.let_go()

    def kill(self) -> None:
        """End the process at once."""
        self.is_open, self._is_killed = False, True
        if self._process is not None and not self._gone.is_set():
            self._process.kill()

    def let_go(self) -> None:
        """Let the process run its shutdown hooks and end."""
        self.is_open = False
        self._send(Shutdown())
        self._loop.call_later(END_SECONDS, self.kill)

    async def gone(self) -> None:
        """Return when the process has ended."""
        await self._gone.wait()

    async def _ends(self, attempt: ProcessAttempt, timeout: float) -> bool:
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
            _log.error("a process of the worker cannot be started: %s", error)
            self._on_gone()
            return
        if self._is_killed:
            self._process.kill()
        for work in (self._listen, self._send_all):
            thread = threading.Thread(
                target=work,
                args=(self._process, connection),
                name="taskq-process",
                daemon=True,
            )
            thread.start()

    def _listen(self, process: BaseProcess, connection: Connection) -> None:
        """Pass the messages of the process to the loop, until it ends; runs in a thread."""
        watched: list[Any] = [connection, process.sentinel]
        pause = _LISTEN_SECONDS if math.isfinite(self._silence) else None
        silent = -_START_SECONDS
        while True:
            ready = wait(watched, timeout=pause)
            if not ready:
                # In rounds, not by the clock, because both processes may have been frozen.
                silent += _LISTEN_SECONDS
                if silent > self._silence:
                    _log.error("process %s of the worker gives no sign of life", process.pid)
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
        process.join(0 if silent else END_SECONDS)
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
                _log.debug("process %s ended before it read %s", process.pid, message)

    def _on(self, message: FromChild) -> None:
        match message:
            case Ready():
                self._ready.set_result(True)
                if self._tell_ready is not None and self.is_open:
                    self._tell_ready(self)
            case Alive():
                pass
            case Progress(task_id=task_id, report=report):
                if attempt := self._attempts.get(task_id):
                    attempt.running.note(report)
            case Submit():
                chore = asyncio.create_task(self._submit(message))
                self._chores.add(chore)
                chore.add_done_callback(self._chores.discard)
            case End(task_id=task_id, run_result=run_result, is_stuck=is_stuck):
                if is_stuck and self.is_open and self._tell_ready is not None:
                    self.let_go()
                if attempt := self._attempts.get(task_id):
                    attempt.end(run_result)
            case _:
                assert_never(message)

    def _on_gone(self) -> None:
        self.is_open = False
        self._gone.set()
        if not self._ready.done():
            self._ready.set_result(False)
        status = None if self._process is None else self._process.exitcode
        for attempt in self._attempts.values():
            attempt.end(self._lost(attempt.running, status))
        self._tell_gone(self)

    async def _submit(self, message: Submit) -> None:
        attempt = self._attempts.get(message.task_id)
        if attempt is None:
            return
        answer: UUID | Exception
        try:
            with about_task(attempt.running.task), spans.attached(message.traceparent):
                answer = await attempt.running.submit(message.new, message.key)
        except TaskqError as error:
            answer = error
        except Exception as error:
            answer = TaskqError(str(error))  # taskq's errors can be pickled, others perhaps not
        self._send(Submitted(message.number, answer))

    def _send(self, message: ToChild) -> None:
        self._outbox.put(message)


def _exists(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    return True

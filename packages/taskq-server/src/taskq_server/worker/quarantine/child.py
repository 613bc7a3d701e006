"""A process that runs attempts for a worker, which does not die with them.

The process has no database and no Redis. It gets claimed tasks from its worker and returns their
results; if it dies, the worker knows which tasks it ran. It ends when the worker sends `Shutdown`,
and at once when the worker dies.
"""

import asyncio
import itertools
import logging
import math
import threading
import time
from contextvars import copy_context
from functools import partial
from multiprocessing.connection import Connection
from typing import NoReturn, assert_never
from uuid import UUID

from taskq_server.core import spans
from taskq_server.core.background import complete
from taskq_server.core.config import Settings
from taskq_server.core.processes import leave
from taskq_server.domain.requests import NewTask
from taskq_server.handlers.context import State
from taskq_server.handlers.registry import Registry, load
from taskq_server.services.task_log import about_task
from taskq_server.worker.attempts.executor import Executor, Limits
from taskq_server.worker.attempts.failures import own_fault
from taskq_server.worker.attempts.result import Failed
from taskq_server.worker.attempts.running import RunningAttempt
from taskq_server.worker.hooks.user_state import shut_down, start_up
from taskq_server.worker.liveness.blocking import BlockingWatch
from taskq_server.worker.liveness.loop_watch import LoopWatch
from taskq_server.worker.liveness.supervisor import EXIT_BLOCKED
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

_REPORT_SECONDS = 0.5
_PATIENCE = 86_400.0  # no other process could run the attempts of this one
_log = logging.getLogger("taskq.server.worker")


def main(connection: Connection, settings: Settings) -> NoReturn:
    """Run quarantined attempts until the worker closes the connection.

    Args:
        connection: the connection to the worker.
        settings: the worker's settings.
    """
    complete(_work(connection, settings, settings.block_seconds))
    raise AssertionError("unreachable: the work ends with the process")


def run_singly(connection: Connection, settings: Settings) -> NoReturn:
    """Run one attempt after the other; each may keep all threads of the process from running.

    Args:
        connection: the connection to the worker.
        settings: the worker's settings.
    """
    complete(_work(connection, settings, math.inf))
    raise AssertionError("unreachable: the work ends with the process")


async def _work(connection: Connection, settings: Settings, block_seconds: float) -> None:
    registry = load(settings.handlers, builtin=settings.builtin_handlers)
    state = State()
    await start_up(registry, state, stop=asyncio.Event())
    executor = Executor(settings.threads, Limits.of(settings), patience=_PATIENCE)
    with BlockingWatch(executor):
        await AttemptChild(connection, registry, executor, state, block_seconds).work()
    await shut_down(registry, state, settings.hook_seconds, hurry=asyncio.Event())
    leave(0)


class AttemptChild:
    """The attempts of this process.

    Args:
        connection: the connection to the worker.
        registry: the handlers.
        executor: runs the attempts.
        state: the state that start-up hooks prepared.
        block_seconds: how long the event loop may stand still before the process ends; if there is
            a limit, the process says that it lives.
    """

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        executor: Executor,
        state: State,
        block_seconds: float,
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._executor = executor
        self._state = state
        self._block_seconds = block_seconds
        self._sending = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._running: dict[UUID, RunningAttempt] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[UUID]] = {}
        self._let_go = asyncio.Event()

    async def work(self) -> None:
        """Carry out the worker's messages until `Shutdown` arrives."""
        works = [self._listen]
        if math.isfinite(self._block_seconds):
            works.append(self._watch)
        for work in works:
            # Handlers inherit the context variables of start-up hooks.
            context = copy_context()
            threading.Thread(
                target=context.run, args=(work,), name="taskq-process", daemon=True
            ).start()
        self._send(Ready())
        let_go = asyncio.create_task(self._let_go.wait())
        while not self._let_go.is_set():
            for running in self._running.values():
                self._report(running)
            await asyncio.wait({let_go}, timeout=_REPORT_SECONDS)

    def _listen(self) -> None:
        """Pass the worker's messages to the loop, and end with the worker; runs in a thread."""
        while True:
            try:
                message: ToChild = self._connection.recv()
            except (EOFError, OSError):
                leave(1)
            self._loop.call_soon_threadsafe(self._on, message)

    def _watch(self) -> None:
        """Send `Alive`, and end the process if a handler blocks its loop; runs in a thread."""
        watch = LoopWatch(self._loop)
        while watch.silence() < self._block_seconds:
            self._send(Alive())
            time.sleep(min(1.0, self._block_seconds / 4))
        _log.critical("the event loop stood still: this process of a worker ends")
        leave(EXIT_BLOCKED)

    def _on(self, message: ToChild) -> None:
        match message:
            case Run():
                job = self._loop.create_task(self._perform(message))
                self._jobs.add(job)
                job.add_done_callback(self._jobs.discard)
            case Interrupt(task_id=task_id, cause=cause):
                if task_id in self._running:
                    self._running[task_id].interrupt(cause)
            case Submitted(number=number, answer=answer):
                asked = self._asked.pop(number)
                if asked.done():
                    return  # the handler was interrupted meanwhile
                if isinstance(answer, Exception):
                    asked.set_exception(answer)
                else:
                    asked.set_result(answer)
            case Shutdown():
                self._let_go.set()
            case _:
                assert_never(message)

    async def _perform(self, message: Run) -> None:
        with about_task(message.task):
            await self._perform_task(message)

    async def _perform_task(self, message: Run) -> None:
        task = message.task
        submit = partial(self._submit, task.id)
        running = RunningAttempt(task, self._state, submit, message.schedule)
        running.arguments = message.arguments
        running.traceparent = message.traceparent or task.traceparent
        self._running[task.id] = running
        try:
            with spans.attached(message.traceparent):
                handler = self._registry.handlers[task.handler]
                run_result = await self._executor.run(handler, running)
        except Exception as error:
            _log.exception("task %s ended in an error of taskq's own", task.id)
            run_result = Failed(own_fault(error))
        self._report(running)
        del self._running[task.id]
        self._send(End(task.id, run_result, self._executor.stuck.is_set()))

    async def _submit(self, task_id: UUID, new: NewTask, key: str) -> UUID:
        number = next(self._numbers)
        self._asked[number] = self._loop.create_future()
        self._send(Submit(task_id, number, new, key, spans.here()))
        return await self._asked[number]

    def _report(self, running: RunningAttempt) -> None:
        report = running.take_report()
        if report is not None:
            self._send(Progress(running.task.id, report))

    def _send(self, message: FromChild) -> None:
        try:
            with self._sending:
                self._connection.send(message)
        except OSError:
            leave(1)

"""Validate payloads in processes, because validation may take for ever, and threads never stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Any

from taskq_server.core.config import Settings
from taskq_server.domain.task import Task
from taskq_server.worker.attempts.failures import failed
from taskq_server.worker.attempts.result import Failed, PayloadMismatch
from taskq_server.worker.attempts.running import RunningAttempt
from taskq_server.worker.quarantine import validation
from taskq_server.worker.quarantine.launch import start
from taskq_server.worker.quarantine.validation import Answer, Question

_START_SECONDS = 60.0
_FOR_EVER = 1e9
_log = logging.getLogger("taskq.server.worker")


class Checks:
    """The processes in which one worker validates payloads, one at a time in each.

    A process starts when it is needed, is kept for later payloads, and is killed if a payload takes
    too long.

    Args:
        settings: the number of processes, and `block_seconds` as the time limit of a payload.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._room = asyncio.Semaphore(settings.quarantine_processes)
        self._threads = ThreadPoolExecutor(
            settings.quarantine_processes, thread_name_prefix="taskq-check"
        )
        self._idle: list[_Process] = []

    async def run(self, running: RunningAttempt) -> Failed | None:
        """Validate the payload of an attempt, unless it is interrupted.

        Returns:
            The failure; None if the payload is valid and `running.arguments` is set.
        """
        check = asyncio.ensure_future(self._check(running.task))
        await running.until_interrupted(check, _FOR_EVER)
        if not check.done():
            check.cancel()
            await asyncio.wait({check})
            return None
        answer = check.result()
        if isinstance(answer, Failed):
            return answer
        running.arguments = answer
        return None

    def close(self) -> None:
        """End all processes; no check may be running any more."""
        for each in self._idle:
            each.kill()
        self._threads.shutdown(wait=False)

    async def _check(self, task: Task) -> Answer:
        async with self._room:
            process = self._living()
            seconds = min(task.timeout_seconds, self._settings.block_seconds)
            try:
                if not process.is_ready:
                    await self._in_thread(process.start, self._settings)
                question = Question(task.handler, task.payload)
                answer: Answer = await self._in_thread(process.request, question, seconds)
            except Exception as error:
                process.kill()
                return _invalid(error, seconds) if process.is_ready else _not_started(error)
            except BaseException:
                process.kill()
                raise
            self._idle.append(process)
            return answer

    def _living(self) -> "_Process":
        while self._idle:
            process = self._idle.pop()
            if process.is_alive:
                return process
        return _Process()

    def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)


class _Process:
    """The worker's side of one process; `start` and `request` block."""

    def __init__(self) -> None:
        self.is_ready = False
        self._process: BaseProcess | None = None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def start(self, settings: Settings) -> None:
        self._process, self._connection = start(validation.main, settings)
        if not self._connection.poll(_START_SECONDS):
            raise TimeoutError("it gives no sign of life")
        self._connection.recv()
        self.is_ready = True

    def request(self, question: Question, seconds: float) -> Answer:
        self._connection.send(question)
        if not self._connection.poll(seconds):
            raise TimeoutError
        try:
            answer: Answer = self._connection.recv()
        except (EOFError, OSError):
            raise
        except Exception as error:  # raised by types that cannot be unpickled
            _log.debug("what a payload has become cannot be read: %s", error)
            return None
        return answer

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()


def _not_started(error: Exception) -> Failed:
    _log.error("a process to validate payloads in does not start: %s", error)
    message = "a process to validate the payload in did not start: the worker's log says why"
    return Failed(failed("ProcessNotStarted", message))


def _invalid(error: Exception, seconds: float) -> Failed:
    what = "it ended the process that validated it"
    if isinstance(error, TimeoutError):
        what = f"to validate it takes more than {seconds:g} seconds"
    why = "a union that contains itself has no discriminator"
    message = f"the payload does not fit the handler: {what}, because {why}"
    return PayloadMismatch(failed("InvalidPayload", message, fatal=True))

"""What the tests of the API play themselves: the worker, who has published and runs handlers."""

import json
from uuid import UUID, uuid4

from pydantic import JsonValue

from taskq_server.crud import handlers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.domain import lifecycle
from taskq_server.domain.admission import ClaimRequest, NotNow
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome, Task
from taskq_server.handlers import registry
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import Claim
from taskq_server.services.reports import Completion, Decision, Report
from tests.support.callers import CALLER


class ScriptedWorker:
    """The worker's side of the service, one step at a time."""

    def __init__(self, runtime: Runtime) -> None:
        self.id = uuid4()
        self._runtime = runtime
        self._service = runtime.attempts(has_failure_hooks=False)
        self._handlers = registry.load([], builtin=True).handlers

    async def publish(self) -> None:
        """Publish the built-in handlers, as a worker does when it starts."""
        published = [
            PublishedHandler(
                name=each.name,
                description=each.description,
                payload_schema=each.schema,
                max_retries=3,
                timeout_seconds=300.0,
            )
            for each in self._handlers.values()
        ]
        database, now = self._runtime.database, self._runtime.clock()
        namespace = self._runtime.settings.namespace
        await database.write(
            lambda connection: handlers.publish(database, connection, namespace, published, now)
        )

    async def claim(self, task_id: str) -> Task:
        """Start the next attempt of a task."""
        claimed = await self.ask(task_id)
        assert isinstance(claimed, Claim), claimed
        return claimed.task

    async def ask(self, task_id: str) -> Claim | NotNow | None:
        """Ask for the next attempt of a task, and return the answer."""
        waiting = (await self._runtime.read.get(CALLER, UUID(task_id))).task
        return await self._service.claim(
            ClaimRequest(
                task_id=waiting.id,
                attempt=waiting.attempt + 1,
                worker_id=self.id,
                namespaces=frozenset({"default"}),
                handlers=frozenset(self._handlers),
                quarantine_room=lambda: 1,
            )
        )

    async def report(self, task: Task, progress: JsonValue) -> None:
        """Report progress of a running attempt."""
        await self._service.report(
            Report(
                task_id=task.id,
                attempt=task.attempt,
                worker_id=self.id,
                progress=json.dumps(progress),
            )
        )

    async def succeed(self, task: Task, result: JsonValue) -> None:
        """End a running attempt with a result."""
        text = json.dumps(result)
        await self._end(task, lambda row, now: lifecycle.succeed(row, result=text, now=now))

    async def fail(
        self,
        task: Task,
        *,
        fatal: bool = False,
        type: str = "RuntimeError",
        message: str = "no luck",
        traceback: str = "Traceback: …",
    ) -> None:
        """End a running attempt with an error; the next try is due in an hour."""
        failure = Failure(
            outcome=Outcome.FAILED,
            type=type,
            message=message,
            traceback=traceback,
            fatal=fatal,
            retry_after=3600,
        )
        await self._end(
            task,
            lambda row, now: lifecycle.fail(
                row, failure, backoff=Backoff(), random=lambda: 0.5, now=now
            ),
        )

    async def release(self, task: Task) -> None:
        """Hand a running attempt back."""
        await self._end(task, lambda row, now: lifecycle.release(row, now=now))

    async def _end(self, task: Task, decide: Decision) -> None:
        await self._service.end(
            Completion(task_id=task.id, attempt=task.attempt, worker_id=self.id, decide=decide)
        )

"""Modules of handlers, for the server in memory of `taskq_client.testing`.

The two packages do not import each other: they agree on names, values of JSON, and the attributes
of `AttemptRecord`.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import cache
from threading import Thread, current_thread
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

from taskq_server.handlers import registry
from taskq_server.handlers.context import State
from taskq_server.handlers.registry import Registry
from taskq_server.schemas.payload_schema import PayloadSchema, compile_schema
from taskq_server.services.catalog import payload_errors
from taskq_server.testing.children import SubmitChild, submit_to
from taskq_server.testing.recorded import RecordedAttempt
from taskq_server.testing.records import AttemptRecord
from taskq_server.testing.runs import longest
from taskq_server.testing.tasks import DEFAULTS, claimed_task, fire_of, state_of
from taskq_server.worker.attempts.executor import Executor, Limits
from taskq_server.worker.calls import Calls
from taskq_server.worker.functions import event_of, tell
from taskq_server.worker.hooks.user_state import shut_down, start_up

T = TypeVar("T")


def handlers(*modules: str | ModuleType, state: object = None) -> "LoadedHandlers":
    """Import modules as a worker does, and return their handlers for `FakeTaskq.load`.

    Without `state`, the start-up hooks run now, and the shutdown hooks when it is closed.

    Args:
        modules: modules, or their names as in `TASKQ_HANDLERS`.
        state: `context.state`, an object or a mapping of its attributes; the hooks of start-up and
            shutdown are left out then.

    Raises:
        ConfigurationError: a module cannot be imported, or a handler cannot work.
        StartUpFailed: a start-up hook raised an error.
    """
    names = [one if isinstance(one, str) else one.__name__ for one in modules]
    return LoadedHandlers(registry.load(names), state)


class LoadedHandlers:
    """Handlers that run in this process, on an event loop in a thread of its own.

    Args:
        registry: the handlers and hooks.
        state: what `handlers` takes.
    """

    def __init__(self, registry: Registry, state: object = None) -> None:
        self._registry = registry
        self._prepared = State() if state is None else None
        self._state = self._prepared if self._prepared is not None else state_of(state)
        self._context = copy_context()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="taskq-testing", daemon=True)
        self._executor = Executor(DEFAULTS.threads, Limits.of(DEFAULTS))
        self._schema = cache(self._compiled)
        self._thread.start()
        if self._prepared is not None:
            try:
                self._run(start_up(registry, self._prepared, asyncio.Event()), self._context)
            except BaseException:
                self._prepared = None
                self.close()
                raise

    def names(self) -> list[str]:
        """Return the names of the handlers, sorted."""
        return sorted(self._registry.handlers)

    def describe(self, handler: str) -> dict[str, Any]:
        """Return what a worker would publish about a handler, as `GET /handlers` shows it."""
        known = self._registry.handlers[handler]
        retries, timeout = known.max_retries, known.timeout
        return {
            "description": known.description,
            "schema": self._schema(handler).document,
            "max_retries": DEFAULTS.max_retries if retries is None else retries,
            "timeout_seconds": DEFAULTS.timeout_seconds if timeout is None else timeout,
            "queue": known.defaults.queue,
            "priority": known.defaults.priority.label,
            "tags": list(known.defaults.tags),
            "unique_key": known.defaults.unique_key,
        }

    def validate(self, handler: str, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return where a payload does not fit, as the API tells it: JSON pointers and sentences."""
        schema, document = self._schema(handler), dict(payload)
        if schema.validator.is_valid(document):
            return []
        found = payload_errors(schema, document)
        return [
            (error.pointer.removeprefix("/payload"), error.detail)
            for error in found
            if error is not None
        ]

    def call(self, task: Mapping[str, Any], submit: SubmitChild) -> AttemptRecord:
        """Run one attempt, and the hooks that follow its failure.

        Args:
            task: the running task, as callers read it.
            submit: stores a child task, given as the body of `POST /tasks` and its idempotency key,
                and returns its id.
        """
        return self._run(self._attempt(task, submit), self._context.copy())

    def close(self) -> None:
        """Run the shutdown hooks, and end the event loop."""
        if self._loop.is_closed():
            return
        if self._prepared is not None:
            seconds, hurry = DEFAULTS.hook_seconds, asyncio.Event()
            work = shut_down(self._registry, self._prepared, seconds, hurry)
            self._run(work, self._context)
        self._executor.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _compiled(self, handler: str) -> PayloadSchema:
        return compile_schema(handler, self._registry.handlers[handler].schema)

    async def _attempt(self, task: Mapping[str, Any], submit: SubmitChild) -> AttemptRecord:
        handler = self._registry.handlers[task["handler"]]
        claimed = claimed_task(handler, task)
        schedule = fire_of(task)
        attempt = RecordedAttempt(claimed, self._state, submit_to(submit), schedule=schedule)
        now = claimed.updated_at
        ended, record = await attempt.end(self._executor, handler, longest, now)
        if ended.is_failure:
            event = event_of(ended.attempt, ended.task)
            await tell(self._registry, event, Calls(DEFAULTS.hook_seconds))
        return record

    def _run(self, work: Coroutine[Any, Any, T], context: Context) -> T:
        """Run a coroutine in the loop's thread; handlers inherit the context of start-up hooks."""
        if current_thread() is self._thread:  # a handler that waits for another one blocks its loop
            with ThreadPoolExecutor(1) as threads:
                return threads.submit(context.run, asyncio.run, work).result()

        async def within() -> T:
            return await self._loop.create_task(work, context=context)

        return asyncio.run_coroutine_threadsafe(within(), self._loop).result()

"""The spans around what is done for tasks: their names, and what they are parts of.

A process without an SDK of OpenTelemetry makes none. A `traceparent` that came with a task goes on
all the same, and is the current context where its handler runs.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind

from taskq_server.core.spans import (
    NOTHING,
    Attributes,
    Work,
    attached,
    complain,
    current,
    remote,
    within,
    written,
)
from taskq_server.domain.errors import ConfigurationError

_ASK_SECONDS = 0.1


class Tracing:
    """Make spans, if the process has an SDK; one that comes later is found a moment later.

    Args:
        is_on: False makes none, and hands on the `traceparent` of a task as text only.
        clock: a monotonic clock, in seconds.

    Raises:
        ConfigurationError: `OTEL_PYTHON_TRACER_PROVIDER` names an SDK that cannot be loaded.
    """

    def __init__(self, *, is_on: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._is_on = is_on
        self._clock = clock
        self._found = False
        self._asks_at = -math.inf if is_on else math.inf
        try:
            self._tracer = trace.get_tracer("taskq") if is_on else trace.NoOpTracer()
        except Exception as error:
            raise ConfigurationError(
                "OTEL_PYTHON_TRACER_PROVIDER: that provider cannot be loaded "
                f"({type(error).__name__}): install the SDK that has it, or unset the variable"
            ) from None

    def submit(self, namespace: str, handlers: Sequence[str], traceparent: str | None) -> Work:
        """Return the work of storing tasks, `submit <handler>`, a part of the current span.

        Args:
            namespace: of the tasks.
            handlers: the handler of each task.
            traceparent: the caller's context, of which it is a part where no span is current.
        """
        if not self._has_sdk():
            return NOTHING if traceparent is None else Work(traceparent)
        caller = None if current().is_valid else remote(traceparent)
        parent = contexts.get_current() if caller is None else within(caller)
        name = handlers[0] if len(set(handlers)) == 1 else "batch"
        attributes: Attributes = {
            "messaging.operation.type": "send",
            "taskq.namespace": namespace,
        }
        if len(handlers) > 1:
            attributes = {**attributes, "messaging.batch.message_count": len(handlers)}
        work = self._begin(f"submit {name}", SpanKind.PRODUCER, parent, (), attributes)
        return Work(traceparent) if work is None else work

    def run(
        self,
        handler: str,
        task_id: UUID,
        attempt: int,
        traceparent: str | None,
        *,
        namespace: str,
        queue: str,
    ) -> Work:
        """Return the work of an attempt, `run <handler>`, within which its handler is called.

        The first attempt is a part of the submit. Later ones, which may come days after it, are
        traces of their own that link to it.

        Args:
            handler: of the task.
            task_id: the task.
            attempt: counts from 1.
            traceparent: of the submit.
            namespace: of the task.
            queue: of the task.
        """
        if traceparent is None and not self._has_sdk():
            return NOTHING
        return self._follow(
            f"run {handler}",
            SpanKind.CONSUMER,
            attempt,
            traceparent,
            lambda: {
                "messaging.operation.type": "process",
                "messaging.destination.name": queue,
                "taskq.namespace": namespace,
                **_about(task_id, handler, attempt),
            },
        )

    def hook(
        self, kind: str, task_id: UUID, handler: str, attempt: int, traceparent: str | None
    ) -> Work:
        """Return the work of the hooks that follow a failure, `hook`.

        Args:
            kind: of hook.
            task_id: the task.
            handler: of the task.
            attempt: the attempt that failed.
            traceparent: of the submit, to which this is related as the attempt is.
        """
        return self._follow(
            "hook",
            SpanKind.INTERNAL,
            attempt,
            traceparent,
            lambda: {"taskq.hook": kind, **_about(task_id, handler, attempt)},
        )

    def commit(self, name: str, traceparents: Iterable[str | None]) -> Work:
        """Return the work of a transaction for several callers, `commit <name>`, linked to theirs.

        Args:
            name: what is committed.
            traceparents: the context of each caller. There is no span unless one is sampled.
        """
        if not self._has_sdk():
            return NOTHING
        callers = [remote(each) for each in traceparents]
        links = [each for each in callers if each is not None and each.trace_flags.sampled]
        if not links:
            return NOTHING
        size = {"messaging.batch.message_count": len(callers)}
        work = self._begin(f"commit {name}", SpanKind.INTERNAL, within(None), links, size)
        return NOTHING if work is None else work

    def _has_sdk(self) -> bool:
        # A start-up hook may bring one late, and to ask each time would cost a hundredth of a
        # submit.
        now = self._clock()
        if now >= self._asks_at:
            self._asks_at = now + _ASK_SECONDS
            self._found = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        return self._found

    def _follow(
        self,
        name: str,
        kind: SpanKind,
        attempt: int,
        traceparent: str | None,
        attributes: Callable[[], Attributes],
    ) -> Work:
        if not self._is_on:
            return NOTHING if traceparent is None else Work(traceparent)
        if not self._has_sdk():
            return attached(traceparent)
        submit = remote(traceparent)
        parent, links = (submit, []) if attempt == 1 else (None, [submit] if submit else [])
        work = self._begin(name, kind, within(parent), links, attributes())
        return attached(traceparent) if work is None else work

    def _begin(
        self,
        name: str,
        kind: SpanKind,
        parent: contexts.Context,
        links: Sequence[SpanContext],
        attributes: Attributes,
    ) -> Work | None:
        """Begin a span; None if the SDK raises an error, or makes none."""
        given = {"messaging.system": "taskq", **attributes}
        try:
            span = self._tracer.start_span(name, parent, kind, given, [Link(one) for one in links])
            made = span.get_span_context()
        except Exception as error:
            complain(type(error).__name__)
            return None
        if not made.is_valid:
            return None
        return Work(written(made), trace.set_span_in_context(span, parent), span)


def _about(task_id: UUID, handler: str, attempt: int) -> Attributes:
    return {
        "messaging.message.id": str(task_id),
        "taskq.handler": handler,
        "taskq.attempt": attempt,
    }

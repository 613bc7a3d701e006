"""Spans of OpenTelemetry as `with` statements, and contexts as the text of a `traceparent`.

What goes wrong in an SDK is said in the log once, and never in the way of a task.
"""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType
from typing import Self
from uuid import UUID

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext, StatusCode, TraceFlags

from taskq_server.domain.traces import valid_traceparent

Attributes = Mapping[str, str | int | bool]

_log = logging.getLogger("taskq.server.tracing")


class Work:
    """What is done within a `with` statement: in a span, in a context that came, or in neither.

    Attributes:
        traceparent: the context of what this work leads to; None if it belongs to no trace.

    Args:
        traceparent: that context.
        current: the context to have within the statement; None leaves it as it is.
        span: ends with the statement.
    """

    __slots__ = ("_current", "_span", "_token", "traceparent")

    def __init__(
        self,
        traceparent: str | None,
        current: contexts.Context | None = None,
        span: Span | None = None,
    ) -> None:
        self.traceparent = traceparent
        self._current = current
        self._span = span

    def __enter__(self) -> Self:
        if self._current is not None:
            self._token = contexts.attach(self._current)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._current is not None:
            contexts.detach(self._token)
        if self._span is not None:
            if kind is not None:
                self.fail(kind.__name__)
            carefully(self._span.end)

    @property
    def has_span(self) -> bool:
        """Whether there is a span, for which it pays to say more."""
        return self._span is not None

    def note(self, attributes: Attributes) -> None:
        """Add attributes to the span, if there is one."""
        span = self._span
        if span is not None:
            carefully(lambda: span.set_attributes(attributes))

    def note_message(self, task_id: UUID, *, replayed: bool = False) -> None:
        """Add which task this is about.

        Args:
            task_id: the task.
            replayed: whether it was there before: one of its keys had led to it.
        """
        if self._span is not None:
            self.note({"messaging.message.id": str(task_id), "taskq.replayed": replayed})

    def fail(self, kind: str, message: str = "") -> None:
        """Mark the span as failed, if there is one.

        Args:
            kind: the class of the error.
            message: about the error; its first line is kept.
        """
        span = self._span
        if span is not None:
            first = message.partition("\n")[0]
            said = f"{kind}: {first}" if first else kind
            carefully(lambda: span.set_attribute("error.type", kind))
            carefully(lambda: span.set_status(StatusCode.ERROR, said))


NOTHING = Work(None)
"""Work that belongs to no trace."""


def attached(traceparent: str | None) -> Work:
    """Return work in a context that came as text; None leaves the current one."""
    given = remote(traceparent)
    return NOTHING if given is None else Work(traceparent, within(given))


def here() -> str | None:
    """Return the current context as text, None if there is none."""
    found = current()
    return written(found) if found.is_valid else None


def current() -> SpanContext:
    """Return the context of the current span, which is not valid if there is none."""
    return trace.get_current_span().get_span_context()


def remote(traceparent: str | None) -> SpanContext | None:
    """Return the context that a valid `traceparent` says."""
    valid = None if traceparent is None else valid_traceparent(traceparent)
    if valid is None:
        return None
    _, trace_id, span_id, flags = valid.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )


def within(parent: SpanContext | None) -> contexts.Context:
    """Return the present context with another span, or with none."""
    span = trace.INVALID_SPAN if parent is None else trace.NonRecordingSpan(parent)
    return trace.set_span_in_context(span)


def written(context: SpanContext) -> str:
    """Return the `traceparent` of a valid context."""
    flags = context.trace_flags
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"


def carefully(step: Callable[[], object]) -> None:
    """Take a step into an SDK, whose errors are said in the log."""
    try:
        step()
    except Exception as error:
        complain(type(error).__name__)


@cache
def complain(kind: str) -> None:
    """Say, in the handler of an exception that an SDK has raised, what is the matter."""
    _log.warning(
        "the SDK of OpenTelemetry raises %s: spans will be missing, and nothing more is said of it",
        kind,
        exc_info=True,
    )

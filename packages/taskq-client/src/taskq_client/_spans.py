"""The spans of submits, for processes that use OpenTelemetry; it is imported by those only.

What goes wrong in an SDK is said in the log, and never in the way of a submit.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode, TraceFlags

_ABOUT = {"messaging.system": "taskq", "messaging.operation.type": "send"}
_log = logging.getLogger("taskq.client")


@contextmanager
def submit_span(name: str, traceparent: str | None) -> Iterator[str | None]:
    """Yield the header for what is sent within a span, or within the one above without an SDK.

    Args:
        name: The name of the span.
        traceparent: The context that it is a part of, valid; None stands for the current one.
    """
    try:
        parent = contexts.get_current() if traceparent is None else _within(traceparent)
        span = trace.get_tracer("taskq").start_span(name, parent, SpanKind.PRODUCER, _ABOUT)
        made = span.get_span_context()
    except Exception as error:
        _complain(error)
        yield traceparent
        return
    if not made.is_valid:
        above = trace.get_current_span(parent).get_span_context()
        yield _written(above) if above.is_valid else None
        return
    token = contexts.attach(trace.set_span_in_context(span, parent))
    try:
        yield _written(made)
    except BaseException as error:
        _carefully(_fail, span, type(error).__name__)
        raise
    finally:
        contexts.detach(token)
        _carefully(span.end)


def note(task_id: str) -> None:
    """Add to the current span which task was stored."""
    _carefully(trace.get_current_span().set_attribute, "messaging.message.id", task_id)


def _written(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _within(traceparent: str) -> contexts.Context:
    _, trace_id, span_id, flags = traceparent.split("-")
    parent = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR, kind)


def _carefully(step: Callable[..., object], *given: object) -> None:
    try:
        step(*given)
    except Exception as error:
        _complain(error)


def _complain(error: Exception) -> None:
    _log.warning("the SDK of OpenTelemetry raises %s: a span is missing", type(error).__name__)

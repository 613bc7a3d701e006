"""The trace that a submit belongs to: given as text, or the current span of OpenTelemetry."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from taskq_client._inputs import text
from taskq_client._traceparent import valid_traceparent

_LOADED_BY_NAME = "OTEL_PYTHON_TRACER_PROVIDER"
"""The variable that lets the first use of OpenTelemetry load an SDK."""


@contextmanager
def submitting(handler: str, traceparent: object) -> Iterator[Mapping[str, str]]:
    """Yield the headers for what is sent within a span `submit <handler>`, if there is an SDK.

    A process that has not imported OpenTelemetry has neither an SDK nor a current span, so that
    nothing is imported for it.

    Args:
        handler: The handler of the tasks.
        traceparent: The context that the caller has given, or None.

    Raises:
        InvalidRequest: The context is no text.
    """
    given = None if traceparent is None else valid_traceparent(text("traceparent", traceparent))
    if not _is_used():
        yield _header(given)
        return
    from taskq_client._spans import submit_span

    with submit_span(f"submit {handler}", given) as header:
        yield _header(header)


def stored(task_id: str) -> None:
    """Say within the span which task was stored."""
    if _is_used():
        from taskq_client._spans import note

        note(task_id)


def _is_used() -> bool:
    return "opentelemetry.trace" in sys.modules or (
        _LOADED_BY_NAME in os.environ and _can_be_imported()
    )


def _can_be_imported() -> bool:
    try:
        import opentelemetry.trace  # noqa: F401
    except ImportError:
        return False
    return True


def _header(traceparent: str | None) -> Mapping[str, str]:
    return {} if traceparent is None else {"traceparent": traceparent}

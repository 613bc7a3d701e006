"""SDKs of OpenTelemetry for tests: one of this process for one test, or of others into a file."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import SpanContext
from opentelemetry.util._once import Once

FILE = "SPANS_FILE"
"""The variable that names the file of `record_in_file`."""


class Spans:
    """The spans that have ended in this process, in that order."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()

    @property
    def all(self) -> list[ReadableSpan]:
        """All of them."""
        return list(self.exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [span.name for span in self.all]

    def one(self, name: str) -> ReadableSpan:
        """The only one of this name."""
        (span,) = [span for span in self.all if span.name == name]
        return span


@contextmanager
def sdk(sampler: Sampler | None = None) -> Iterator[Spans]:
    """Give this process an SDK whose spans stay in memory, and take it away at the end.

    Only what asks for its tracer meanwhile makes spans.

    Args:
        sampler: Decides which spans are recorded; all are by default.
    """
    spans = Spans()
    provider = TracerProvider(sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans.exporter))
    trace.set_tracer_provider(provider)
    try:
        yield spans
    finally:
        trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()


def context_of(span: ReadableSpan) -> SpanContext:
    """Return the context of a span, which the SDK types as if it might have none."""
    context = span.get_span_context()
    assert context is not None
    return context


def traceparent_of(span: ReadableSpan) -> str:
    """Return the header that says the context of a span."""
    context = context_of(span)
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def parent_of(span: ReadableSpan) -> int | None:
    """Return the id of the span that this one is a part of."""
    return None if span.parent is None else span.parent.span_id


class _InFile(SpanExporter):
    def __init__(self, path: str) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        lines = "".join(json.dumps(_told(span)) + "\n" for span in spans)
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, lines.encode())
        finally:
            os.close(file)
        return SpanExportResult.SUCCESS


def record_in_file() -> None:
    """Give this process an SDK that writes each span into the file of `FILE`, if it is set."""
    path = os.environ.get(FILE)
    if path:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(_InFile(path)))
        trace.set_tracer_provider(provider)


def recorded_in(path: Path) -> list[dict[str, Any]]:
    """Return the spans in a file of `record_in_file`, by the order of their ends."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def _told(span: ReadableSpan) -> dict[str, Any]:
    context = context_of(span)
    return {
        "name": span.name,
        "kind": span.kind.name,
        "trace": f"{context.trace_id:032x}",
        "span": f"{context.span_id:016x}",
        "parent": None if span.parent is None else f"{span.parent.span_id:016x}",
        "links": [f"{link.context.span_id:016x}" for link in span.links],
        "error": None if span.status.is_ok else span.status.description,
        "attributes": dict(span.attributes or {}),
        "pid": os.getpid(),
    }

"""The spans of submits in a client, and the header that it sends with and without OpenTelemetry."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from taskq_client import (
    InvalidRequest,
    TaskqClient,
    UnknownHandler,
)
from taskq_client.testing import FakeTaskq
from tests.support.spans import Spans, parent_of, sdk, traceparent_of

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ECHO: dict[str, Any] = {"value": 1}
ITEM: dict[str, Any] = {"handler": "taskq.echo", "payload": ECHO}

Submit = Callable[..., Any]


def of_submit(client: TaskqClient, **options: Any) -> None:
    client.submit("taskq.echo", ECHO, **options)


def of_run(client: TaskqClient, **options: Any) -> None:
    client.run("taskq.echo", ECHO, **options)


def of_many(client: TaskqClient, **options: Any) -> None:
    client.submit_many([ITEM] * 1_001, **options)  # two requests, the second in a thread


def of_map(client: TaskqClient, **options: Any) -> None:
    for _ in client.map("taskq.echo", [ECHO] * 2, **options):
        assert not trace.get_current_span().get_span_context().is_valid


EACH = pytest.mark.parametrize("submit", [of_submit, of_run, of_many, of_map])


@pytest.fixture
def spans() -> Iterator[Spans]:
    with sdk() as recorded:
        yield recorded


@EACH
def test_a_given_trace_goes_on_without_an_sdk(taskq: FakeTaskq, submit: Submit) -> None:
    submit(taskq.client(), traceparent=TRACE)
    assert {task.traceparent for task in taskq.tasks} == {TRACE}


@EACH
def test_nothing_is_sent_where_there_is_no_trace(taskq: FakeTaskq, submit: Submit) -> None:
    submit(taskq.client())
    submit(taskq.client(), traceparent="what another service sent\r\n")
    assert {task.traceparent for task in taskq.tasks} == {None}


@EACH
def test_a_submit_is_a_span_and_its_tasks_are_parts_of_it(
    taskq: FakeTaskq, spans: Spans, submit: Submit
) -> None:
    submit(taskq.client())
    (span,) = spans.all
    assert span.name == ("submit batch" if submit is of_many else "submit taskq.echo")
    assert (span.kind, span.parent) == (SpanKind.PRODUCER, None)
    assert {task.traceparent for task in taskq.tasks} == {traceparent_of(span)}


async def test_the_asyncio_client_does_the_same(taskq: FakeTaskq, spans: Spans) -> None:
    tracer = trace.get_tracer("tests")
    async with taskq.async_client() as client:
        with tracer.start_as_current_span("request") as request:
            handle = await client.submit("taskq.echo", ECHO)
            await client.submit_many([ITEM] * 1_001)
            async for task in client.map("taskq.echo", [ECHO]):
                assert trace.get_current_span() is request
                assert task.status == "succeeded"
            await client.run("taskq.echo", ECHO)
    made = spans.all[:-1]
    assert spans.names[-1] == "request"
    assert [span.name for span in made] == [
        "submit taskq.echo",
        "submit batch",
        "submit taskq.echo",
        "submit taskq.echo",
    ]
    assert {parent_of(span) for span in made} == {request.get_span_context().span_id}
    assert handle.traceparent == traceparent_of(made[0])
    assert {task.traceparent for task in taskq.tasks} == set(map(traceparent_of, made))
    assert (made[0].attributes or {})["messaging.message.id"] == handle.id


def test_a_given_trace_counts_more_than_the_current_span(taskq: FakeTaskq, spans: Spans) -> None:
    with trace.get_tracer("tests").start_as_current_span("request"):
        taskq.client().submit("taskq.echo", ECHO, traceparent=TRACE)
    assert f"{parent_of(spans.one('submit taskq.echo')):016x}" == TRACE[36:52]


def test_a_context_without_an_sdk_goes_on(taskq: FakeTaskq) -> None:
    """As in a handler whose worker has no SDK."""
    context = trace.SpanContext(int("a" * 32, 16), int("b" * 16, 16), is_remote=True)
    with trace.use_span(trace.NonRecordingSpan(context)):
        handle = taskq.client().submit("taskq.echo", ECHO)
    assert handle.traceparent == f"00-{'a' * 32}-{'b' * 16}-00"


def test_all_tries_of_a_submit_are_in_one_span(taskq: FakeTaskq, spans: Spans) -> None:
    taskq.fail_next(503)
    handle = taskq.client().submit("taskq.echo", ECHO)
    assert handle.traceparent == traceparent_of(spans.one("submit taskq.echo"))


def test_an_error_is_the_status_of_the_span(taskq: FakeTaskq, spans: Spans) -> None:
    with pytest.raises(UnknownHandler):
        taskq.client().submit("no.such")
    span = spans.one("submit no.such")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "UnknownHandler"


def test_a_trace_is_text(taskq: FakeTaskq) -> None:
    with pytest.raises(InvalidRequest, match="traceparent must be text"):
        taskq.client().submit("taskq.echo", ECHO, traceparent=b"00")  # type: ignore[arg-type]


SCRIPT = """
import sys
from taskq_client.testing import FakeTaskq

fake = FakeTaskq()
handle = fake.client().submit("taskq.echo", {{"value": 1}}, traceparent={given!r})
print(handle.traceparent, "opentelemetry" in sys.modules)
"""


def run_script(given: str | None, blocked: Path | None = None, **variables: str) -> str:
    path = {} if blocked is None else {"PYTHONPATH": str(blocked)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(given=given)],
        env={**os.environ, **path, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_is_imported_for_who_does_not_use_it(tmp_path: Path) -> None:
    assert run_script(TRACE) == f"{TRACE} False"
    by_name = {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}
    made, is_imported = run_script(TRACE, **by_name).split()
    assert (made[:35], made != TRACE, is_imported) == (TRACE[:35], True, "True")


def test_without_opentelemetry_a_given_trace_goes_on(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("raise ImportError")
    by_name = {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}
    assert run_script(TRACE, tmp_path, **by_name) == f"{TRACE} False"

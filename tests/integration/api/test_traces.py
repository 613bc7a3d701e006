"""The spans of submits and of group commits, and what a task remembers of them."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from taskq_server.core import spans as server_spans
from taskq_server.core.config import Settings
from taskq_server.core.spans import Work
from taskq_server.core.tracing import Tracing
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Task
from taskq_server.runtime import Runtime
from taskq_server.services.task_log import fields_of
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.spans import Spans, context_of, parent_of, sdk, traceparent_of
from tests.unit.server.factories import make_task, running

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}}
TRACED = {"traceparent": TRACE}


@pytest.fixture
def spans(worker: ScriptedWorker) -> Iterator[Spans]:
    """The spans of a test, without those of what has been before it."""
    with sdk() as recorded:
        yield recorded


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "wait=0"}], ids=["fast path", "route"])
async def test_a_submit_is_a_part_of_its_callers_trace(
    api: httpx.AsyncClient, spans: Spans, prefer: dict[str, str]
) -> None:
    task = (await api.post("/tasks", json=ECHO, headers={**TRACED, **prefer})).json()
    submit = spans.one("submit taskq.echo")
    assert f"{context_of(submit).trace_id:032x}" == TRACE[3:35]
    assert f"{parent_of(submit):016x}" == TRACE[36:52]
    assert submit.kind is SpanKind.PRODUCER
    assert task["traceparent"] == traceparent_of(submit)
    assert (submit.attributes or {})["messaging.message.id"] == task["id"]
    assert submit.status.status_code is StatusCode.UNSET


async def test_a_submit_begins_a_trace_where_there_is_none(
    api: httpx.AsyncClient, spans: Spans
) -> None:
    task = (await api.post("/tasks", json=ECHO, headers={"traceparent": "nonsense"})).json()
    submit = spans.one("submit taskq.echo")
    assert parent_of(submit) is None
    assert task["traceparent"] == traceparent_of(submit)


async def test_a_current_span_counts_more_than_the_header(runtime: Runtime, spans: Spans) -> None:
    """The middleware of an instrumented server has a span for the request."""
    with trace.get_tracer("tests").start_as_current_span("request") as request:
        submitted = await runtime.submit.one(runtime.caller, echo(), traceparent=TRACE)
    submit = spans.one("submit taskq.echo")
    assert parent_of(submit) == request.get_span_context().span_id
    assert submitted.details.task.traceparent == traceparent_of(submit)


async def test_a_batch_is_one_span(api: httpx.AsyncClient, spans: Spans) -> None:
    answer = await api.post("/tasks/batch", json={"items": [ECHO, ECHO]}, headers=TRACED)
    submit = spans.one("submit taskq.echo")
    stored = [task["traceparent"] for task in answer.json()["items"]]
    assert stored == [traceparent_of(submit)] * 2
    assert (submit.attributes or {})["messaging.batch.message_count"] == 2
    sleep = {"handler": "taskq.sleep", "payload": {"seconds": 1}}
    await api.post("/tasks/batch", json={"items": [ECHO, sleep]}, headers=TRACED)
    assert spans.names[-1] == "submit batch"


async def test_a_refused_submit_is_an_error_without_a_task(
    api: httpx.AsyncClient, spans: Spans
) -> None:
    answer = await api.post("/tasks", json={"handler": "no.such"}, headers=TRACED)
    submit = spans.one("submit no.such")
    assert answer.status_code == 422
    assert submit.status.status_code is StatusCode.ERROR
    assert (submit.attributes or {})["error.type"] == "UnknownHandler"
    assert "messaging.message.id" not in (submit.attributes or {})


async def test_a_replay_keeps_the_trace_of_the_first_submit(
    api: httpx.AsyncClient, spans: Spans
) -> None:
    once = {"Idempotency-Key": "once"}
    first = (await api.post("/tasks", json=ECHO, headers=once)).json()
    again = (await api.post("/tasks", json=ECHO, headers={**once, **TRACED})).json()
    assert again == first
    one, other = [span for span in spans.all if span.name.startswith("submit")]
    assert first["traceparent"] == traceparent_of(one)
    assert (other.attributes or {})["taskq.replayed"] is True
    assert (other.attributes or {})["messaging.message.id"] == first["id"]


async def test_a_transaction_for_several_callers_links_to_each_of_them(
    runtime: Runtime, worker: ScriptedWorker, spans: Spans
) -> None:
    traces = [f"00-{n:032x}-{n:016x}-01" for n in range(1, 9)]
    await asyncio.gather(
        *(runtime.submit.one(runtime.caller, echo(), traceparent=each) for each in traces)
    )
    submits = {context_of(each).span_id for each in spans.all if each.name.startswith("submit")}
    commits = [span for span in spans.all if span.name == "commit submits"]
    assert len(submits) == 8
    assert sorted(link.context.span_id for one in commits for link in one.links) == sorted(submits)
    assert max(len(one.links) for one in commits) > 1
    assert [one.parent for one in commits] == [None] * len(commits)


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_the_callers_choice_whether_to_record_is_kept(
    api: httpx.AsyncClient, worker: ScriptedWorker, flags: str
) -> None:
    with sdk(ParentBased(ALWAYS_OFF)) as spans:
        given = {"traceparent": TRACE[:-2] + flags}
        task = (await api.post("/tasks", json=ECHO, headers=given)).json()
        alone = (await api.post("/tasks", json=ECHO)).json()
    assert task["traceparent"][:35] == TRACE[:35]
    sampled = [int(each["traceparent"][-2:]) & 1 for each in (task, alone)]
    assert sampled == [int(flags), 0]
    assert spans.names == (["submit taskq.echo"] if flags == "01" else [])


async def test_without_an_sdk_the_header_goes_on_as_it_is(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    assert (await api.post("/tasks", json=ECHO, headers=TRACED)).json()["traceparent"] == TRACE
    assert (await api.post("/tasks", json=ECHO)).json()["traceparent"] is None


async def test_what_breaks_in_an_sdk_breaks_no_submit(
    api: httpx.AsyncClient, worker: ScriptedWorker, caplog: pytest.LogCaptureFixture
) -> None:
    server_spans.complain.cache_clear()

    class Broken(Sampler):
        def should_sample(self, *_: Any, **__: Any) -> Any:
            raise LookupError("no sample")

        def get_description(self) -> str:
            return "broken"

    with sdk(Broken()):
        for _ in range(3):
            answer = await api.post("/tasks", json=ECHO, headers=TRACED)
            assert (answer.status_code, answer.json()["traceparent"]) == (201, TRACE)
    said = [r.getMessage() for r in caplog.records if r.name == "taskq.server.tracing"]
    assert len(said) == 1
    assert "LookupError" in said[0]


async def test_off_makes_no_spans_and_keeps_the_header(spans: Spans) -> None:
    tracing = Tracing(is_on=False)
    with tracing.submit("default", ["a"], TRACE) as work:
        assert work.traceparent == TRACE
        assert not trace.get_current_span().get_span_context().is_valid
    with tracing.commit("submits", [TRACE]), run(tracing, make_task(traceparent=TRACE)) as work:
        assert work.traceparent == TRACE
        assert not trace.get_current_span().get_span_context().is_valid
    assert spans.names == []


def test_lines_of_the_log_name_the_trace_that_their_attempt_belongs_to() -> None:
    task = running(attempt=2, traceparent=TRACE)
    with sdk(), run(Tracing(is_on=True), task) as work:
        assert work.traceparent is not None
        own = fields_of(task)["trace_id"]
    assert own == work.traceparent[3:35] != TRACE[3:35]
    assert fields_of(task)["trace_id"] == TRACE[3:35]
    assert "trace_id" not in fields_of(running())


def test_the_setting_is_auto_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().trace == "auto"
    monkeypatch.setenv("TASKQ_TRACE", "off")
    assert Settings.load().trace == "off"
    monkeypatch.setenv("TASKQ_TRACE", "on")
    with pytest.raises(ConfigurationError, match="TASKQ_TRACE"):
        Settings.load()


def test_an_sdk_that_cannot_be_loaded_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("opentelemetry.util._providers"), "disabled", True)
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "no_such_provider")
    with pytest.raises(ConfigurationError, match=r"OTEL_PYTHON_TRACER_PROVIDER: .* unset"):
        Tracing(is_on=True)
    Tracing(is_on=False)


def echo() -> NewTask:
    return NewTask("taskq.echo", {"value": 1})


def run(tracing: Tracing, task: Task) -> Work:
    queue, namespace = task.queue, task.namespace
    about = (task.handler, task.id, task.attempt, task.traceparent)
    return tracing.run(*about, namespace=namespace, queue=queue)

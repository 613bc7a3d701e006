"""One trace from a submit through handlers to their children, whatever processes they run in."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from taskq_server.core import spans
from taskq_server.core.config import Settings
from taskq_server.domain.requests import NewTask
from taskq_server.worker.attempts.result import Succeeded
from taskq_server.worker.quarantine.pool import QuarantinePool
from tests.integration.engine.calls import get
from tests.support.spans import FILE, recorded_in
from tests.support.stack import Kind, NewStack, Stack
from tests.support.waiting import wait_until
from tests.unit.server.worker.attempts import Children, attempt_of

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID, CALLER = TRACE[3:35], TRACE[36:52]
SOON = 60.0

Span = dict[str, Any]


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spans") / "spans.jsonl"


@pytest.fixture(scope="module")
def stack(kind: Kind, file: Path, new_module_stack: NewStack) -> Stack:
    traced = {"TASKQ_HANDLERS": "tests.support.traced", "TASKQ_PROCESSES": "1", FILE: str(file)}
    return new_module_stack(kind, settings=traced)


@pytest.fixture(autouse=True)
def _empty(file: Path) -> None:
    file.write_text("", encoding="utf-8")


def submit(stack: Stack, handler: str, trace: str | None = TRACE, **payload: Any) -> str:
    headers = {} if trace is None else {"traceparent": trace}
    body = {"handler": handler, "payload": payload}
    answer = httpx.post(f"{stack.api_url}/tasks", json=body, headers=headers, timeout=180)
    assert answer.status_code == 201, answer.text
    task_id: str = answer.json()["id"]
    return task_id


def spans_of(file: Path, *names: str) -> dict[str, list[Span]]:
    """The spans by name, once all of these have ended."""

    def found() -> dict[str, list[Span]]:
        by_name: dict[str, list[Span]] = {}
        for span in recorded_in(file):
            by_name.setdefault(span["name"], []).append(span)
        return by_name

    wait_until(
        lambda: set(names) <= found().keys(), SOON, f"spans {names}", 0.05, lambda: str(found())
    )
    return found()


def is_part_of(span: Span, parent: str, trace: str = TRACE_ID) -> bool:
    return bool((span["trace"], span["parent"]) == (trace, parent))


@pytest.mark.parametrize("where", ["loop", "thread", "process"])
def test_a_trace_goes_through_a_handler_to_its_child(stack: Stack, file: Path, where: str) -> None:
    task_id = submit(stack, f"traced.{where}", child="traced.loop")
    result = get(stack, task_id, wait=60)["result"]
    child = get(stack, result["child"], wait=60)
    names = (f"run traced.{where}", "inside", "submit traced.loop", "run traced.loop")
    found = spans_of(file, *names)
    (run,) = [
        one for one in found[names[0]] if one["attributes"]["messaging.message.id"] == task_id
    ]
    own = get(stack, task_id)["traceparent"]
    assert (own[3:35], run["parent"]) == (TRACE_ID, own[36:52])
    assert result["traceparent"] == f"00-{TRACE_ID}-{run['span']}-01"
    inside = next(one for one in found["inside"] if one["parent"] == run["span"])
    assert inside["trace"] == TRACE_ID
    assert (inside["pid"] != run["pid"]) == (where == "process")
    made = next(one for one in found["submit traced.loop"] if one["parent"] == inside["span"])
    assert child["traceparent"] == f"00-{TRACE_ID}-{made['span']}-01"
    (last,) = [
        one
        for one in found["run traced.loop"]
        if one["attributes"]["messaging.message.id"] == child["id"]
    ]
    assert is_part_of(last, made["span"])
    assert last["kind"] == "CONSUMER"
    assert last["attributes"]["taskq.outcome"] == "succeeded"
    assert last["error"] is None


class Traced(Children):
    """Notes the contexts in which children are submitted."""

    def __init__(self) -> None:
        super().__init__()
        self.traces: list[str | None] = []

    async def __call__(self, new: NewTask, key: str) -> UUID:
        self.traces.append(spans.here())
        return await super().__call__(new, key)


async def test_a_quarantined_handler_knows_its_trace() -> None:
    pool = QuarantinePool(Settings(handlers=("tests.support.traced",)))
    children = Traced()
    try:
        with spans.attached(TRACE):
            attempt = attempt_of(
                {"child": "x"}, children=children, handler="traced.loop", lost_count=1
            )
            result = await pool.run(attempt)
    finally:
        await pool.close()
    assert isinstance(result, Succeeded), result
    assert json.loads(result.result)["traceparent"] == TRACE
    assert children.traces == [TRACE]


def test_later_attempts_are_traces_of_their_own_that_link_to_the_submit(
    stack: Stack, file: Path
) -> None:
    task_id = submit(stack, "traced.broken")
    task = get(stack, task_id, wait=60)
    assert (task["status"], task["attempt"]) == ("failed", 2)
    submitted = task["traceparent"][36:52]
    found = spans_of(file, "again 1", "never 2", "hook")
    first, second = found["run traced.broken"]
    assert is_part_of(first, submitted)
    assert first["links"] == []
    assert (second["parent"], second["links"]) == (None, [submitted])
    assert second["trace"] != TRACE_ID
    assert [one["error"] for one in (first, second)] == ["ValueError: broken"] * 2
    assert [one["attributes"]["error.type"] for one in (first, second)] == ["ValueError"] * 2
    wait_until(lambda: len(recorded_of(file, "hook")) == 2, SOON, "both hooks")
    retry, failure = sorted(
        recorded_of(file, "hook"), key=lambda one: one["attributes"]["taskq.attempt"]
    )
    assert is_part_of(retry, submitted)
    assert (failure["parent"], failure["links"]) == (None, [submitted])
    assert [one["attributes"]["taskq.hook"] for one in (retry, failure)] == [
        "on_retry",
        "on_job_failure",
    ]
    assert [one["error"] for one in (retry, failure)] == [None, "LookupError"]
    assert is_part_of(found["again 1"][0], retry["span"])
    assert is_part_of(found["never 2"][0], failure["span"], failure["trace"])


def test_ends_of_attempts_are_committed_with_links_to_them(stack: Stack, file: Path) -> None:
    ids = [submit(stack, "traced.loop") for _ in range(5)]
    for task_id in ids:
        get(stack, task_id, wait=60)
    runs = {one["span"] for one in recorded_of(file, "run traced.loop")}
    wait_until(
        lambda: runs <= {link for one in recorded_of(file, "commit ends") for link in one["links"]},
        SOON,
        "each end is linked",
    )


def test_an_attempt_that_takes_too_long_says_so(stack: Stack, file: Path) -> None:
    get(stack, submit(stack, "traced.slow"), wait=60)
    (run,) = spans_of(file, "run traced.slow")["run traced.slow"]
    assert run["attributes"]["taskq.outcome"] == "timed_out"
    assert run["error"].startswith("TimeoutError: ")


def test_a_task_without_a_trace_begins_one(stack: Stack, file: Path) -> None:
    task = get(stack, submit(stack, "traced.loop", trace=None), wait=60)
    (run,) = spans_of(file, "run traced.loop")["run traced.loop"]
    assert task["result"]["traceparent"][:52] == f"00-{run['trace']}-{run['span']}"


def recorded_of(file: Path, name: str) -> list[Span]:
    return [span for span in recorded_in(file) if span["name"] == name]

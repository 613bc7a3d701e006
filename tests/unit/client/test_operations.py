"""What each operation asks of the server, and what it makes of the answer."""

import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest

from taskq_client._channels import finish
from taskq_client.errors import TaskCancelled, TaskFailed, UnexpectedAnswer
from taskq_client.models import Task, TaskStatus
from tests.unit.client.support import a_task, answer, core, problem, wire_task, wire_worker


def test_submit_sends_what_was_given_and_nothing_else() -> None:
    client, channel = core(answer(201, wire_task()))

    task, conflict = finish(
        client.tasks.submit(
            "reports.build",
            {"month": "2026-10"},
            None,
            {"title": "October", "tags": ("monthly",), "priority": "high", "queue": None},
        )
    )

    assert (task, conflict) == (a_task(), False)
    assert channel.asked == ["POST /tasks"]
    assert channel.body() == {
        "handler": "reports.build",
        "payload": {"month": "2026-10"},
        "title": "October",
        "tags": ["monthly"],
        "priority": "high",
    }
    assert channel.requests[0].headers == {
        "Content-Type": "application/json",
        "Idempotency-Key": "key-1",
    }
    assert channel.requests[0].timeout == 10.0


def test_submit_takes_a_replay_for_the_task_it_is() -> None:
    client, _ = core(answer(200, wire_task(status="succeeded"), idempotency_replayed="true"))

    found = finish(client.tasks.submit("reports.build", None, "mine", {}))
    assert (found.task.status, found.conflict) == ("succeeded", False)


def test_submit_tells_that_another_task_has_the_unique_key() -> None:
    client, channel = core(answer(200, wire_task(unique_key="c-17"), unique_conflict="true"))

    found = finish(
        client.tasks.submit("h", None, None, {"unique_key": "c-17", "on_conflict": "replace"})
    )

    assert (found.task.unique_key, found.conflict) == ("c-17", True)
    assert channel.body() == {"handler": "h", "unique_key": "c-17", "on_conflict": "replace"}


def test_of_a_task_that_may_not_be_read_submit_has_what_is_told() -> None:
    told = {"id": "0198c0de", "status": "running"}
    client, _ = core(answer(200, told, unique_conflict="true", queue_listeners="0"))
    unheard: list[Task] = []
    client.tasks.on_unheard = unheard.append

    task, conflict = finish(client.tasks.submit("h", None, None, {"unique_key": "c-17"}))

    assert (task.id, task.status, task.final, conflict) == ("0198c0de", "running", False, True)
    assert (task.handler, task.payload, task.attempt, task.unique_key) == ("", {}, 0, None)
    assert task.model_dump(mode="json", exclude_unset=True) == told
    assert unheard == []


def test_what_is_told_of_such_a_task_alone_is_no_new_task() -> None:
    client, _ = core(answer(201, {"id": "0198c0de", "status": "queued"}))

    with pytest.raises(UnexpectedAnswer):
        finish(client.tasks.submit("h", None, None, {}))


KEYED, HELD = {"unique_key": "k"}, {"id": "held", "status": "running"}


@pytest.mark.parametrize(
    ("status", "items", "expected"),
    [
        (201, [{}, KEYED, KEYED], [False, None, True]),
        (201, [{}, {**KEYED, "id": "other"}, KEYED], [False, None, None]),
        (201, [{}, HELD], [False, True]),
        (200, [KEYED, {**KEYED, "id": "other"}, HELD], [True, True, True]),
    ],
)
def test_a_batch_tells_as_much_of_its_items_as_the_server_says(
    status: int, items: list[dict[str, str]], expected: list[bool | None]
) -> None:
    wire = [
        one if one is HELD else wire_task(**{"id": "new" if one else "none", **one})
        for one in items
    ]
    client, _ = core(answer(status, {"items": wire}, unique_conflict="true"))

    found = finish(client.bulk.submit_many([{"handler": "h"}] * len(items), None))

    assert [one.task.id for one in found] == [one["id"] for one in wire]
    assert [one.conflict for one in found] == expected


def test_without_the_header_all_items_of_a_batch_are_new() -> None:
    client, _ = core(answer(201, {"items": [wire_task(unique_key="k"), wire_task()]}))

    found = finish(client.bulk.submit_many([{"handler": "h"}] * 2, None))

    assert [one.conflict for one in found] == [False, False]


def test_times_go_out_in_utc_and_durations_in_seconds() -> None:
    client, channel = core(answer(201, wire_task()))
    run_at = datetime(2026, 10, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))

    finish(
        client.tasks.submit(
            "h",
            None,
            None,
            {
                "run_at": run_at,
                "delay_seconds": timedelta(minutes=1.5),
                "timeout_seconds": 2.5,
                "backoff_base_seconds": timedelta(milliseconds=100),
                "backoff_max_seconds": 9,
                "keep_seconds": timedelta(days=90),
            },
        )
    )

    assert channel.body() == {
        "handler": "h",
        "run_at": "2026-10-01T12:30:00Z",
        "delay_seconds": 90.0,
        "timeout_seconds": 2.5,
        "backoff_base_seconds": 0.1,
        "backoff_max_seconds": 9,
        "keep_seconds": 7_776_000.0,
    }


def test_get_takes_a_task_or_its_id() -> None:
    client, channel = core(answer(200, wire_task()), answer(200, wire_task()))

    assert finish(client.tasks.get("0198c0de")) == finish(client.tasks.get(a_task()))
    assert channel.asked == ["GET /tasks/0198c0de"] * 2


def test_update_sends_a_merge_patch_in_which_none_is_null() -> None:
    client, channel = core(answer(200, wire_task(title="November")))

    task = finish(
        client.tasks.update("0198c0de", 7, {"title": "November", "run_at": None, "tags": "x"})
    )

    assert task.title == "November"
    assert channel.asked == ["PATCH /tasks/0198c0de"]
    assert channel.body() == {"title": "November", "run_at": None, "tags": ["x"]}
    assert channel.requests[0].headers == {
        "Content-Type": "application/merge-patch+json",
        "If-Match": '"7"',
    }


def test_update_without_a_version_has_no_condition() -> None:
    client, channel = core(answer(200, wire_task()))

    finish(client.tasks.update(a_task(), None, {"description": "new"}))

    assert channel.requests[0].headers == {"Content-Type": "application/merge-patch+json"}


@pytest.mark.parametrize(
    ("operation", "status"), [("cancel", 200), ("cancel", 202), ("retry", 200)]
)
def test_cancel_and_retry_answer_the_task(operation: str, status: int) -> None:
    client, channel = core(answer(status, wire_task(version=2)))

    task: Task = finish(getattr(client.tasks, operation)("0198c0de"))

    assert task.version == 2
    assert channel.asked == [f"POST /tasks/0198c0de/{operation}"]


def test_delete_answers_nothing() -> None:
    client, channel = core(answer(204))

    assert finish(client.tasks.delete(a_task())) is None
    assert channel.asked == ["DELETE /tasks/0198c0de"]


def test_run_submits_waits_and_takes_the_result() -> None:
    client, channel = core(
        answer(201, wire_task()),
        answer(200, wire_task(status="succeeded", result={"rows": 3})),
    )

    assert finish(client.runs.run("reports.build", {}, 60.0, "mine", {"queue": "q"})) == {"rows": 3}
    assert channel.asked == ["POST /tasks", "GET /tasks/0198c0de?wait=20"]
    assert channel.body() == {"handler": "reports.build", "payload": {}, "queue": "q"}
    assert channel.requests[0].headers["Idempotency-Key"] == "mine"


@pytest.mark.parametrize(
    ("status", "error"), [("failed", TaskFailed), ("cancelled", TaskCancelled)]
)
def test_run_raises_how_the_task_ended(status: str, error: type[Exception]) -> None:
    client, _ = core(answer(201, wire_task()), answer(200, wire_task(status=status)))

    with pytest.raises(error) as caught:
        finish(client.runs.run("reports.build", None, None, None, {}))

    assert caught.value.task.status == status  # type: ignore[attr-defined]


def test_attempts_have_no_error_when_they_succeeded() -> None:
    failed = {
        "attempt": 1,
        "outcome": "failed",
        "type": "ValueError",
        "message": "boom",
        "traceback": "Traceback",
        "worker_id": "w1",
        "started_at": "2026-10-01T12:00:00Z",
        "finished_at": "2026-10-01T12:00:01Z",
        "retry_at": "2026-10-01T12:00:02Z",
    }
    done = {"attempt": 2, "outcome": "succeeded", "type": None, "message": None}
    client, channel = core(answer(200, {"items": [failed, done]}))

    first, second = finish(client.tasks.attempts("0198c0de"))

    assert channel.asked == ["GET /tasks/0198c0de/attempts"]
    assert (first.type, first.message, first.worker_id) == ("ValueError", "boom", "w1")
    assert first.retry_at == datetime(2026, 10, 1, 12, 0, 2, tzinfo=UTC)
    assert (second.attempt, second.outcome, second.type) == (2, "succeeded", None)


def test_handlers_carry_the_schema_of_their_payload() -> None:
    item = {
        "name": "taskq.echo",
        "description": "Answer",
        "schema": {"type": "object"},
        "max_retries": 3,
        "timeout_seconds": 300,
        "workers": 2,
    }
    client, channel = core(answer(200, {"items": [item]}))

    (handler,) = finish(client.service.handlers())

    assert channel.asked == ["GET /handlers"]
    assert (handler.name, handler.payload_schema, handler.workers) == (
        "taskq.echo",
        {"type": "object"},
        2,
    )


def test_tags_carry_their_counts() -> None:
    client, channel = core(answer(200, {"items": [{"name": "monthly", "count": 4}]}))

    assert [(tag.name, tag.count) for tag in finish(client.service.tags())] == [("monthly", 4)]
    assert channel.asked == ["GET /tags"]


def test_stats_tell_how_many_tasks_stand_where_and_take_what_a_newer_server_adds() -> None:
    queue = {"name": "mail", "tasks": {"queued": 2, "paused": 1}, "depth": 2, "colour": "blue"}
    body = {
        "tasks": {"queued": 2, "paused": 1},
        "queues": [{**queue, "oldest_age_seconds": 1.5}, {"name": "empty"}],
        "workers": 3,
        "colour": "blue",
    }
    client, channel = core(answer(200, body))

    stats = finish(client.service.stats())

    assert channel.asked == ["GET /stats"]
    assert (stats.tasks, stats.workers) == ({TaskStatus.QUEUED: 2, "paused": 1}, 3)
    assert stats.tasks["queued"] == 2
    mail, empty = stats.queues
    assert (mail.name, mail.depth, mail.oldest_age_seconds) == ("mail", 2, 1.5)
    assert (empty.tasks, empty.depth, empty.oldest_age_seconds) == ({}, 0, None)
    assert pickle.loads(pickle.dumps(stats)) == stats


def test_workers_come_from_all_pages() -> None:
    running = {
        "id": "0198c0de",
        "namespace": "default",
        "handler": "taskq.echo",
        "attempt": 2,
        "started_at": "2026-10-01T12:00:00Z",
        "quarantined": True,
        "colour": "blue",
    }
    busy = wire_worker("a", running=[running], running_count=1, quarantine_in_use=1, colour="blue")
    client, channel = core(
        answer(200, {"items": [busy], "next_cursor": "x&y"}),
        answer(200, {"items": [], "next_cursor": "z"}),
        answer(200, {"items": [wire_worker("b", version=None)], "next_cursor": None}),
    )

    first, second = finish(client.service.workers())

    pages = ("limit=200", "limit=200&cursor=x%26y", "limit=200&cursor=z")
    assert channel.asked == [f"GET /workers?{page}" for page in pages]
    (task,) = first.running
    assert (task.id, task.attempt, task.quarantined) == ("0198c0de", 2, True)
    assert (first.name, first.running_count, first.version) == ("a", 1, "0.1.0")
    assert (second.name, second.running, second.version) == ("b", [], None)
    assert pickle.loads(pickle.dumps(first)) == first
    assert len({first, second}) == 2


@pytest.mark.parametrize(
    ("reply", "ready", "detail"),
    [
        (answer(200, {"status": "ok", "redis": "ok"}), True, "status: ok, redis: ok"),
        (problem(503, "unavailable", detail="the database is away"), False, "the database is away"),
        (problem(404, "not-found", title="Not found"), False, "Not found"),
        (answer(200, "fine"), False, "200 without JSON: not a taskq server"),
    ],
)
def test_health_is_an_answer_even_if_it_is_a_no(reply, ready, detail) -> None:  # type: ignore[no-untyped-def]
    client, channel = core(reply)

    health = finish(client.service.health())

    assert channel.asked == ["GET /readyz"]
    assert (health.ready, health.detail) == (ready, detail)


@pytest.mark.parametrize(
    ("said", "reasons"),
    [(["draining"], ["draining"]), ([], []), (None, []), ("draining", []), ([1], ["1"])],
)
def test_health_has_the_reasons_that_the_server_tells(said: object, reasons: list[str]) -> None:
    client, _ = core(answer(503, {"status": "unavailable", "reasons": said}))
    assert finish(client.service.health()).reasons == reasons

"""One example for each body in the OpenAPI document."""

import json
from typing import Any

_ID = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"
_WORKER = "019aa1c0-11d4-7a52-9c44-1f0b7d6e2a35"

_CREATE: dict[str, Any] = {
    "handler": "taskq.echo",
    "payload": {"value": "hello"},
    "title": "October",
    "priority": "high",
    "tags": ["monthly"],
    "max_retries": 5,
}

_ITEM: dict[str, Any] = {
    "id": _ID,
    "handler": "taskq.echo",
    "title": "October",
    "description": None,
    "status": "succeeded",
    "priority": "high",
    "queue": "default",
    "run_at": None,
    "timeout_seconds": 300.0,
    "max_retries": 5,
    "current_retry_count": 0,
    "backoff_base_seconds": None,
    "backoff_max_seconds": None,
    "tags": ["monthly"],
    "attempt": 1,
    "progress": None,
    "worker_id": None,
    "cancel_requested_at": None,
    "traceparent": None,
    "schedule": None,
    "version": 3,
    "created_at": "2026-10-01T08:00:00.000000Z",
    "updated_at": "2026-10-01T08:00:00.020000Z",
    "started_at": "2026-10-01T08:00:00.010000Z",
    "finished_at": "2026-10-01T08:00:00.020000Z",
}

_TASK: dict[str, Any] = {
    **_ITEM,
    "payload": {"value": "hello"},
    "keep_seconds": None,
    "unique_key": None,
    "errors": [],
    "result": "hello",
}

_NEW_TASK: dict[str, Any] = {
    **_TASK,
    "status": "queued",
    "attempt": 0,
    "version": 1,
    "updated_at": _ITEM["created_at"],
    "started_at": None,
    "finished_at": None,
    "result": None,
}

_ATTEMPT: dict[str, Any] = {
    "attempt": 1,
    "outcome": "failed",
    "type": "ConnectionError",
    "message": "the printer is on fire",
    "traceback": "Traceback (most recent call last): …",
    "worker_id": _WORKER,
    "worker_name": "worker-1:4711",
    "started_at": "2026-10-01T08:00:00.010000Z",
    "finished_at": "2026-10-01T08:00:00.020000Z",
    "retry_at": "2026-10-01T08:00:01.000000Z",
}

_HANDLER: dict[str, Any] = {
    "name": "taskq.echo",
    "description": "Return the value.",
    "schema": {"type": "object", "properties": {"value": {}}, "required": ["value"]},
    "max_retries": 3,
    "timeout_seconds": 300.0,
    "queue": "default",
    "priority": "normal",
    "tags": [],
    "unique_key": None,
    "workers": 1,
}

_COUNTS: dict[str, int] = {
    "queued": 40,
    "running": 8,
    "retrying": 2,
    "succeeded": 1250,
    "failed": 3,
    "cancelled": 1,
}

_QUEUE: dict[str, Any] = {
    "name": "default",
    "tasks": _COUNTS,
    "depth": 42,
    "oldest_age_seconds": 1.5,
    "throughput_per_minute": 240.0,
    "run_seconds_mean": 0.31,
}

_QUEUE_STATE: dict[str, Any] = {
    "name": "mails",
    "paused": True,
    "paused_at": "2026-10-01T08:00:00.000000Z",
    "note": "the mail provider is down",
    "depth": 42,
    "running": 8,
    "oldest_age_seconds": 1.5,
    "throughput_per_minute": 240.0,
    "workers": 2,
}

_QUEUE_HISTORY: dict[str, list[float | None]] = {
    "succeeded": [236, 120],
    "failed": [4, 0],
    "run_seconds_mean": [0.31, 0.29],
    "depth": [40, None],
    "running": [8, None],
    "oldest_age_seconds": [1.5, None],
}

_FAILURES: dict[str, Any] = {
    "handler": "reports.build",
    "type": "ConnectionError",
    "message": "the printer is on fire",
    "failed": 3,
    "retrying": 2,
    "last_at": "2026-10-01T08:00:00.020000Z",
    "example": _ID,
}

_RUNNING: dict[str, Any] = {
    "id": _ID,
    "namespace": "default",
    "handler": "taskq.sleep",
    "attempt": 1,
    "started_at": "2026-10-01T08:00:00.010000Z",
    "quarantined": False,
}

_LIVE_WORKER: dict[str, Any] = {
    "id": _WORKER,
    "name": "worker-1:4711",
    "namespaces": ["default"],
    "queues": ["default"],
    "handlers": ["taskq.echo", "taskq.sleep"],
    "concurrency": 100,
    "running": [_RUNNING],
    "running_count": 1,
    "quarantine_in_use": 0,
    "started_at": "2026-10-01T07:00:00.000000Z",
    "heartbeat_at": "2026-10-01T08:00:01.000000Z",
    "version": "0.1.0",
}

_NEW_BULK: dict[str, Any] = {
    "action": "retry",
    "filter": {"status": "failed", "handler": "reports.build"},
    "dry_run": False,
    "limit": 100_000,
}

_BULK: dict[str, Any] = {
    "id": "019aa1c6-7d10-7b02-a6f3-0c5e8f1b2d47",
    "action": "retry",
    "filter": {"status": ["failed"], "handler": "reports.build"},
    "changes": None,
    "limit": 100_000,
    "state": "running",
    "matched": 1200,
    "done": 1190,
    "skipped": 10,
    "failed": 0,
    "key_id": None,
    "created_at": "2026-10-01T08:00:00.000000Z",
    "finished_at": None,
}

_KEY_ID = "7HqzT3mVx0Rb"

_NEW_KEY: dict[str, Any] = {
    "name": "reports-web",
    "scopes": ["tasks:run:reports.*"],
    "namespace": None,
    "expires_at": "2027-10-01T00:00:00Z",
    "rate_limit": "600/minute",
}

_CALLER: dict[str, Any] = {
    **_NEW_KEY,
    "id": _KEY_ID,
    "namespace": "default",
    "created_at": "2026-10-01T08:00:00.000000Z",
    "last_used_at": "2026-10-02T08:00:00.000000Z",
}

_STORED_KEY: dict[str, Any] = {**_CALLER, "revoked_at": None, "previous_until": None}

_REVOKED_KEY: dict[str, Any] = {
    **_STORED_KEY,
    "revoked_at": "2026-10-02T09:00:00.000000Z",
    "operations": [{"namespace": "default", "id": _BULK["id"]}],
    "schedules": [{"namespace": "default", "name": "nightly-report"}],
}

_TEMPLATE: dict[str, Any] = {"handler": "taskq.echo", "payload": {"value": "good morning"}}

_NEW_SCHEDULE: dict[str, Any] = {
    "cron": "30 6 * * 1-5",
    "timezone": "Europe/Berlin",
    "task": {**_TEMPLATE, "tags": ["reports"]},
    "overlap": "skip",
}

_SCHEDULE: dict[str, Any] = {
    **_NEW_SCHEDULE,
    "name": "nightly-report",
    "every_seconds": None,
    "task": {
        **_TEMPLATE,
        "title": None,
        "description": None,
        "priority": None,
        "tags": ["reports"],
        "queue": None,
        "timeout_seconds": None,
        "max_retries": None,
        "backoff_base_seconds": None,
        "backoff_max_seconds": None,
        "keep_seconds": None,
        "unique_key": None,
        "on_conflict": None,
    },
    "catch_up": "last",
    "catch_up_seconds": 3_600.0,
    "jitter_seconds": 0.0,
    "starts_at": None,
    "ends_at": None,
    "paused": False,
    "paused_at": None,
    "note": None,
    "declared": False,
    "next_fire_at": "2026-10-02T04:30:00.000000Z",
    "last_fire_at": "2026-10-01T04:30:00.000000Z",
    "last_task_id": _ID,
    "fired": 12,
    "skipped": 1,
    "missed": 0,
    "last_error": None,
    "key_id": None,
    "version": 2,
    "created_at": "2026-09-14T08:00:00.000000Z",
    "updated_at": "2026-09-15T08:00:00.000000Z",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "TaskCreate": _CREATE,
    "TaskBatch": {"items": [_CREATE, {"handler": "taskq.sleep", "payload": {"seconds": 1}}]},
    "TaskUpdate": {"priority": "urgent", "tags": ["monthly", "late"], "run_at": None},
    "WaitRequest": {"ids": [_ID], "timeout_seconds": 20},
    "TaskRead": _TASK,
    "TaskHolder": {"id": _ID, "status": "running"},
    "TaskPage": {"items": [_ITEM], "next_cursor": "AZqhxk8ufDGNem8KUuO5Ec-oK1m0"},
    "TaskList": {"items": [_TASK]},
    "SubmittedList": {"items": [_TASK]},
    "TaskRefs": {"items": [{"id": _ID}]},
    "AttemptList": {"items": [_ATTEMPT]},
    "TagList": {"items": [{"name": "monthly", "count": 12}]},
    "HandlerList": {"items": [_HANDLER]},
    "StatsRead": {"tasks": _COUNTS, "queues": [_QUEUE], "workers": 2},
    "WorkerPage": {"items": [_LIVE_WORKER], "next_cursor": None},
    "HistoryRead": {
        "minutes": ["2026-10-01T08:00:00Z", "2026-10-01T08:01:00Z"],
        "queues": {"default": _QUEUE_HISTORY},
        "exact": True,
    },
    "FailureList": {"items": [_FAILURES], "exact": True},
    "QueueList": {"items": [_QUEUE_STATE]},
    "QueueItem": _QUEUE_STATE,
    "QueuePause": {"note": "the mail provider is down"},
    "BulkCreate": _NEW_BULK,
    "BulkCount": {"count": 1304, "exact": False, "by_status": _COUNTS},
    "BulkRead": _BULK,
    "BulkPage": {"items": [_BULK], "next_cursor": None},
    "ScheduleWrite": _NEW_SCHEDULE,
    "SchedulePatch": {"cron": "0 7 * * 1-5", "task": {"priority": "high"}},
    "SchedulePause": {"note": "the printer is on fire"},
    "ScheduleRead": _SCHEDULE,
    "SchedulePage": {"items": [_SCHEDULE], "next_cursor": None},
    "SchedulePreview": {
        "times": ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z"],
        "text": "At 02:30 every day",
    },
    "KeyCreate": _NEW_KEY,
    "KeyRotate": {"overlap_seconds": 3600},
    "KeyRead": _STORED_KEY,
    "KeyRevoked": _REVOKED_KEY,
    "KeyCreated": {**_STORED_KEY, "last_used_at": None, "key": f"tq_{_KEY_ID}_{'x' * 43}"},
    "KeyPage": {"items": [_STORED_KEY], "next_cursor": None},
    "CallerRead": _CALLER,
    "Live": {"status": "ok"},
    "Ready": {"status": "ok", "database": "ok", "redis": "ok"},
}
"""By the name of the schema."""

EVENTS: dict[str, Any] = {
    "final": {"summary": "a final state", "value": f"id: 3\ndata: {json.dumps(_TASK)}\n\n"}
}
"""A stream of the events of a task."""

_STATS_EVENT: dict[str, Any] = {
    "tasks": _COUNTS,
    "queues": [{name: _QUEUE[name] for name in ("name", "tasks", "depth")}],
    "workers": 2,
}
STATS_EVENTS: dict[str, Any] = {
    "counts": {
        "summary": "the counts of a moment",
        "value": f"event: stats\ndata: {json.dumps(_STATS_EVENT)}\n\n",
    }
}
"""A stream of the events of a namespace."""

_METRICS = """\
# HELP taskq_queue_depth Tasks that are not final; those queued and retrying wait
# TYPE taskq_queue_depth gauge
taskq_queue_depth{namespace="default",queue="reports",status="queued"} 3.0
"""
METRICS: dict[str, dict[str, Any]] = {
    "text/plain": {"depth": {"summary": "one of many", "value": _METRICS}},
    "application/openmetrics-text": {
        "depth": {"summary": "one of many", "value": f"{_METRICS}# EOF\n"}
    },
}
"""A page of metrics in each of its types, cut."""

OF_NEW_TASKS: dict[str, dict[str, Any]] = {
    "TaskRead": _NEW_TASK,
    "SubmittedList": {"items": [_NEW_TASK]},
}
"""Examples for what answers a submit: nothing has run yet."""

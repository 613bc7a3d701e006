"""One request for each operation of the API, by its name in the matrix of scopes."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from tests.integration.api.scoped import ECHO

NONE = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"

State = Literal["queued", "retrying", "failed", "succeeded"]


class Operation(NamedTuple):
    """A request.

    Attributes:
        method: of the request.
        path: of the request; `{id}` stands for the id of a task or of a key.
        body: as JSON, where there is one; "{id}" stands for the same.
        state: that a task has to have.
        status: the answer to those who may.
    """

    method: str
    path: str
    body: Mapping[str, object] | None = None
    state: State = "queued"
    status: int = 200


ABOUT_TASKS = {
    "get": Operation("GET", "/tasks/{id}", state="succeeded"),
    "events": Operation("GET", "/tasks/{id}/events", state="succeeded"),
    "attempts": Operation("GET", "/tasks/{id}/attempts", state="failed"),
    "wait": Operation("POST", "/tasks/wait", {"ids": ["{id}"], "timeout_seconds": 20}, "succeeded"),
    "update": Operation("PATCH", "/tasks/{id}", {"title": "t"}, "succeeded"),
    "delete": Operation("DELETE", "/tasks/{id}", state="failed", status=204),
    "cancel": Operation("POST", "/tasks/{id}/cancel", state="retrying"),
    "retry": Operation("POST", "/tasks/{id}/retry", state="failed"),
}
SUBMITS = {
    "submit": Operation("POST", "/tasks", ECHO, status=201),
    "submit_many": Operation("POST", "/tasks/batch", {"items": [ECHO, ECHO]}, status=201),
}
OF_NAMESPACES = {
    "list": Operation("GET", "/tasks"),
    "tags": Operation("GET", "/tags"),
    "handlers": Operation("GET", "/handlers"),
    "stats": Operation("GET", "/stats"),
    "workers": Operation("GET", "/workers"),
    "stats_history": Operation("GET", "/stats/history"),
    "stats_events": Operation("GET", "/stats/events?timeout_seconds=0"),
    "failures": Operation("GET", "/failures"),
    "queues": Operation("GET", "/queues"),
    "pause_queue": Operation("POST", "/queues/default/pause"),
    "resume_queue": Operation("POST", "/queues/default/resume"),
    "openapi": Operation("GET", "/openapi.json"),
}
OTHERS = {
    "bulk": Operation(
        "POST", "/tasks/bulk", {"action": "delete", "filter": {"status": "failed"}}, status=202
    ),
    "bulk_operations": Operation("GET", "/bulk"),
    "get_bulk": Operation("GET", f"/bulk/{NONE}", status=404),
    "stop_bulk": Operation("POST", f"/bulk/{NONE}/stop", status=404),
    "set_schedule": Operation(
        "PUT", "/schedules/s", {"cron": "0 3 * * *", "task": {"handler": "nobody"}}, status=422
    ),
    "update_schedule": Operation("PATCH", "/schedules/none", {"note": "n"}, status=404),
    "list_schedules": Operation("GET", "/schedules"),
    "preview_schedule": Operation("GET", "/schedules/preview?cron=@daily"),
    "get_schedule": Operation("GET", "/schedules/none", status=404),
    "delete_schedule": Operation("DELETE", "/schedules/none", status=404),
    "pause_schedule": Operation("POST", "/schedules/none/pause", status=404),
    "resume_schedule": Operation("POST", "/schedules/none/resume", status=404),
    "fire_schedule": Operation("POST", "/schedules/none/fire", status=404),
    "create_key": Operation("POST", "/keys", {"name": "k", "scopes": ["admin"]}, status=201),
    "list_keys": Operation("GET", "/keys"),
    "get_key": Operation("GET", "/keys/{id}"),
    "rotate_key": Operation("POST", "/keys/{id}/rotate", status=201),
    "revoke_key": Operation("POST", "/keys/{id}/revoke"),
    "metrics": Operation("GET", "/metrics"),
    "whoami": Operation("GET", "/keys/self"),
    "root": Operation("GET", "/", status=307),
    "/docs/assets": Operation("GET", "/docs/assets/favicon.png"),
    "docs": Operation("GET", "/docs"),
    "redoc": Operation("GET", "/redoc"),
    "livez": Operation("GET", "/livez"),
    "readyz": Operation("GET", "/readyz"),
}

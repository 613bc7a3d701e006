"""The operations of the fake on all tasks that a filter finds: from a request to an answer."""

from collections.abc import Callable, Mapping

import httpx

from taskq_client.testing import _bulk, _listing
from taskq_client.testing._call import Call, answer
from taskq_client.testing._json import canonical


def begin(call: Call) -> httpx.Response:
    """`POST /tasks/bulk`."""
    _bulk.check_rights(call.caller, call.body["action"])
    if call.body["dry_run"]:
        return answer(_bulk.count(call.store, call.body["filter"]))
    key = call.request.headers.get("idempotency-key")
    made = (call.store, call.caller, call.body, call.document)
    fields, replayed = _bulk.begin(*made, key, canonical(call.document))
    headers = {"location": f"/bulk/{fields['id']}"}
    if replayed:
        headers["idempotency-replayed"] = "true"
    return answer(fields, 202, headers)


def list_operations(call: Call) -> httpx.Response:
    """`GET /bulk`."""
    page = _bulk.page(call.store, call.query)
    cursor = page["next_cursor"]
    headers = {} if cursor is None else {"link": _listing.link(call.given, cursor, "/bulk")}
    return answer(page, headers=headers)


def get(call: Call) -> httpx.Response:
    """`GET /bulk/{id}`."""
    return answer(_bulk.found(call.store, call.task_id).fields)


def stop(call: Call) -> httpx.Response:
    """`POST /bulk/{id}/stop`."""
    return answer(_bulk.stop(call.store, call.task_id))


OPERATIONS: Mapping[str, Callable[[Call], httpx.Response]] = {
    "bulk": begin,
    "bulk_operations": list_operations,
    "get_bulk": get,
    "stop_bulk": stop,
}
"""What serves each operation of the document that is about bulk operations."""

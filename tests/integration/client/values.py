"""Values for random requests, good and bad ones."""

from typing import Any

from tests.integration.client.scripted import STEPS

METHODS = ("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS")
BAD_JSON = (
    b"", b"{", b"[]", b"null", b"3", b'"x"', b'{"handler":"t.rows","handler":"t.rows"}',
    b'{"handler":NaN}', b'{"handler":"t.rows","payload":{"a":1e999}}', b"\xef\xbb\xbf{}",
    b'{"handler":"t.rows","payload":{"a":' + b"9" * 30 + b"}}", b'{"handler":"\xff"}',
    b'{"handler":"t.rows","payload":{"a":"\\ud800"}}', b'{"handler":"t.rows"} x',
    b'{"handler":"t.rows","payload":{"a":' + b"[" * 40 + b"]" * 40 + b"}}",
    b'{"handler":"t.rows","payload":{"a":' + b"9" * 5000 + b"}}", b'{"items":[{}]}', b'{"ids":[]}',
    b'{"items":[3,{"handler":"t.rows","payload":{"a":' + b"[" * 31 + b"]" * 31 + b"}}]}",
    b'{"items":[{"handler":"t.rows","tags":["a"],"tags":["b"]}]}', b'\n{"handler":\t"t.rows"}\r\n ',
)  # fmt: skip
TEXTS = (
    "a", "é", " a", "a ", "", "a\0", "a\x1b", "\u202ea", "a b", "x" * 64, "x" * 65, "x" * 230,
    "x" * 255, "x" * 256, "a\nb", "a\u2028b", "\U0001f600", "%_", "a/b", "-", "a.b:c/d-e", 5, None,
    True, ["a"], {},
)  # fmt: skip
CONFLICTS = ("return", "replace", "reject", None, "wait", "", 1)
VALUES: tuple[Any, ...] = (
    1, 1, "1", 1.0, 0, -0.0, 2.5, 1e300, 10**20, True, False, None, "", " a", "a ", "a\nb", "é",
    "x" * 200, [{"/": "deep"}], [{"/": "deep"}], [{"/": None}], [], {},
    {"b": 1.0, "a": ["é", None]},
)  # fmt: skip
KEEPS = (None, 0.99, 1e9, 3_153_600_001, "9", True)
NUMBERS = (
    0, 1, 2, 3, 100, 101, -1, 0.0, 0.5, 1.0, 1e-9, 3600, 86_400, 86_401, 31_536_000, 31_536_001,
    1e300, True, None, "3", [], 7.25, 500_000,
)  # fmt: skip
TIMES = (
    "2026-09-01T12:00:00Z", "2020-01-01T00:00:00+02:00", "2026-09-02T00:00:00.123456789Z",
    "2026-13-01T00:00:00Z", "2026-09-01", "2026-09-01T12:00:00", "1969-12-31T23:59:59Z",
    "9000-01-01T00:00:00Z", "8999-12-31T23:59:59Z", "2026-09-01t12:00:00z", 1_790_000_000, None, "",
    "2026-09-01T12:00:00.1234567890Z", "2027-01-01T00:00:00.5-23:59",
)  # fmt: skip
PRIORITIES = ("low", "normal", "high", "urgent", "hgh", 1, None)
HANDLERS = (*STEPS, "t.slow", "t.told", "t.long", "taskq.echo", "taskq.sleep", "taskq.flaky")
PAYLOADS: tuple[Any, ...] = (
    {}, {"value": 1}, {"seconds": 60}, {"failures": 2}, {"failures": 1.0}, {"seconds": "x"},
    {"value": {"deep": [1, "é", None]}, "more": 1}, {"failures": 101}, {"seconds": -1.5}, [], None,
    {"value": "x" * 300_000}, {"value": list(range(50_001))}, {"failures": True}, "text",
    {"x/y~z": [1.5, -0.0, 1e22, 12345678901234567]}, {"seconds": 90_000}, {"a": 1, "b": 2},
)  # fmt: skip
TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
TAGS = ("a", "b", "monthly", "é", "x y")
QUERIES: dict[str, tuple[str, ...]] = {
    "status": ("queued", "running", "retrying", "succeeded", "failed", "cancelled", "done", ""),
    "priority": ("low", "high", "normal", "urgent", "x"),
    "tag": (*TAGS, "", "nobody", "a\0", " a"),
    "error_type": ("RuntimeError", "ValueError", "OSError", "runtimeerror", "", " x", "x" * 256),
    "attempt_min": ("1", "2", "3", "0", "-1", "1.5", "2147483648", "x", ""),
    "handler": ("t.rows", "t.slow", "taskq.echo", "bad name", "", "x" * 129),
    "queue": ("default", "other", "", "é"),
    "created_after": (
        "{at}",
        "2026-09-01T12:00:00.005Z",
        "2026-09-01T12:00:00",
        "x",
        "2027-01-01T00:00:00Z",
    ),
    "created_before": (
        "{at}",
        "2026-09-01T12:01:00.000Z",
        "2026-09-02T00:00:00Z",
        "1960-01-01T00:00:00Z",
    ),
    "finished_after": ("{at}", "2026-09-01T12:00:00.005Z", "2027-01-01T00:00:00Z", "x"),
    "finished_before": ("{at}", "2026-09-01T12:01:00.000Z", "1960-01-01T00:00:00Z", "x"),
    "id": ("0", "02", "f", "0199", "", "x", "01A", "01a-0"),
    "q": ("t", "a", "é", "t.s", "", "a\0", "x" * 256, " "),
    "schedule": ("a", "b", "code:t.rows", "", "é", "x" * 129),
    "order": ("created_at", "-created_at", "title", ""),
    "limit": (
        "1",
        "2",
        "5",
        "50",
        "200",
        "201",
        "0",
        "-1",
        "1.0",
        "1.5",
        "x",
        "",
        "+5",
        "1_0",
        "1e2",
    ),
    "cursor": ("", "x", "!" * 30, "A" * 30, "x" * 201),
    "nothing": ("1",),
}
FILTERS: dict[str, tuple[Any, ...]] = {
    "status": ("failed", ["failed", "cancelled", "failed"], ["queued", "retrying"], [], None, "x"),
    "priority": ("low", ["high", "normal"], None, 3),
    "tag": ("a", ["a", "b"], ["nobody"], ["a"] * 9, [None]),
    "handler": ("t.rows", "t.slow", ["t.fatal", "taskq.echo"], [], None, "bad name", 5),
    "queue": ("default", "other", ["default", "other"], None, ""),
    "error_type": ("RuntimeError", "ValueError", None, "", ["OSError"]),
    "attempt_min": (1, 2, 0, None, "x"),
    "finished_after": ("2026-09-01T12:00:00.005Z", "x", None),
    "finished_before": ("2026-09-02T00:00:00Z", "2026-09-01T12:01:00Z", 7),
    "created_after": ("2026-09-01T12:00:00.005Z", "2026-09-01T14:00:00+02:00", "x", None),
    "created_before": ("2026-09-02T00:00:00Z", "2026-09-01T12:01:00Z", 7),
    "q": ("t", "a", "", " ", None),
    "schedule": ("a", "b", "", None),
    "id": ("f", "x", ""),
    "order": ("created_at",),
}
CHANGES: dict[str, tuple[Any, ...]] = {
    "priority": ("low", "high", None, "x"),
    "max_retries": (0, 5, 101, None, "3"),
    "timeout_seconds": (60, 0.5, 0, None),
    "run_at": (None, "2026-09-01T12:00:00Z", "2027-01-01T00:00:00Z", "x"),
    "queue": ("other",),
}
OF_OPERATIONS = (
    *(("GET", "/bulk"), ("GET", "/bulk/{operation}"), ("GET", "/bulk/{operation}")),
    *(("POST", "/bulk/{operation}/stop"), ("HEAD", "/bulk/{operation}"), ("GET", "/bulk/{id}")),
    *(("GET", "/bulk/x"), ("DELETE", "/bulk/{operation}"), ("GET", "/tasks/bulk")),
)
WAITS = ("0", "0.01", "-1", "61", "x", "", "1e-2", "NaN", "0.0", "1_0", "1e999")
TAGGED = (
    "*",
    '"1"',
    '"2"',
    '"3"',
    'W/"1"',
    'W/"2"',
    'W/"3", W/"4"',
    '"1", "2","3", "4"',
    "1",
    '"1" "2"',
    "",
    '"é"',
    ",",
    "* ",
)
PREFERENCES = (
    "wait=0", "return=minimal", "wait=x", "return=representation", "wait=0, wait=5", "WAIT = 0",
    'wait="0"', "respond-async, wait=0", "return=minimal;x=y, wait=0", "", ";;;",
    "wait=1000000000000",
)  # fmt: skip
CONTENT_TYPES = (
    "application/json; charset=utf-8", "application/json;charset=latin-1", "text/plain",
    "application/merge-patch+json", "APPLICATION/JSON", "",
    'application/json; charset="utf-8"; x=y',
)  # fmt: skip
PATHS = (
    "/x", "/task", "/tasks/", "/tasks/x", "/tasks/batch", "/tasks/wait", "/tags", "/handlers",
    "/stats", "/livez", "/readyz", "/tasks//cancel", "/tasks/0/cancel", "/Tasks", "/tasks%2Fbatch",
    "/metric", "/queues", "/queues/", "/queues/x", "/queues/x/pause", "/tasks?q=%ff",
    "/tasks?x=1&limit=3&x=2&limit", "/tasks?=&&a",
    "/stats?%F0%9F%98%80",
    "/tasks?limit=1&limit=2&status=queued&q=t&status=failed", "/tasks?limit=1;order=created_at",
    "/workers", "/workers?limit=1", "/workers?cursor=x", "/workers?limit=0", "/workers/",
    "/tasks?limit=2&status=failed&q=t&status=succeeded&tag=a", "/tasks?q=a+b%20", "/tasks?",
)  # fmt: skip


SECONDS = (*(0.001, 0.002, 0.005) * 8, *(0.5, 1.0, 5.0, 30.0) * 2, 100.0, 1000.0, 100_000.0)

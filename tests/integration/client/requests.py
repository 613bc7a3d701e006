"""Random requests, good and bad ones, as data: ids and cursors are numbers until they are sent."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.client.schedule_requests import ScheduleRequests
from tests.integration.client.values import (
    BAD_JSON,
    CHANGES,
    CONFLICTS,
    CONTENT_TYPES,
    FILTERS,
    HANDLERS,
    KEEPS,
    METHODS,
    NUMBERS,
    OF_OPERATIONS,
    PATHS,
    PAYLOADS,
    PREFERENCES,
    PRIORITIES,
    QUERIES,
    SECONDS,
    TAGGED,
    TAGS,
    TEXTS,
    TIMES,
    TRACE,
    VALUES,
    WAITS,
)


@dataclass
class Asked:
    """One request. `{id}` in path and body, and `{at}` in a query, are what a server has given."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None
    task: int = -1
    upper: bool = False
    cursor: int = -1
    seconds: float = 0.001


class Requests:
    """Draw requests, one after the other.

    Args:
        seed: Decides all of them.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._schedules = ScheduleRequests(self._draw)

    def next(self) -> Asked:
        """Return another request."""
        draw = self._draw
        kinds: dict[Callable[[], Asked], int] = {
            self._submit: 24, self._batch: 6, self._wait: 5, self._list: 13, self._get: 12,
            self._update: 12, self._act: 16, self._events: 4, self._odd: 4, self._plain: 4,
            self._queue: 5, self._bulk: 5, self._operation: 4, self._schedule: 14,
        }  # fmt: skip
        (kind,) = draw.choices([*kinds], [*kinds.values()])
        asked = kind()
        asked.seconds = draw.choice(SECONDS)
        if draw.random() < 0.05:
            asked.headers.append(("x-request-id", draw.choice(("mine", "not sane", "x" * 129, ""))))
        if draw.random() < 0.02:
            asked.query.append(
                draw.choice((("x", "1"), ("wait", "0"), ("limit", "3"), ("é~/", "")))
            )
        if draw.random() < 0.03:
            asked.method = draw.choice(METHODS)
        return asked

    def _maybe(self, chance: float) -> bool:
        return self._draw.random() < chance

    def _new(self) -> Any:
        draw = self._draw
        handler = draw.choice(HANDLERS)
        good = {
            "taskq.echo": {"value": 1},
            "taskq.sleep": {"seconds": 60},
            "taskq.flaky": {"failures": 2},
        }
        new: dict[str, Any] = {
            "handler": handler,
            "payload": good.get(handler, {"n": draw.randint(0, 9)}),
        }
        optional: dict[str, tuple[Any, ...]] = {
            "title": TEXTS, "description": TEXTS, "priority": PRIORITIES, "queue": TEXTS,
            "run_at": TIMES, "delay_seconds": NUMBERS, "timeout_seconds": NUMBERS,
            "max_retries": NUMBERS, "backoff_base_seconds": NUMBERS, "backoff_max_seconds": NUMBERS,
            "keep_seconds": KEEPS, "unknown": (1,), "unique_key": TEXTS, "on_conflict": CONFLICTS,
            "payload": PAYLOADS, "handler": (*TEXTS, "nobody.has.this"),
        }  # fmt: skip
        if handler in good and self._maybe(0.15):
            new["payload"] = draw.choice(PAYLOADS)
        if self._maybe(0.3):
            new["tags"] = draw.choices(TAGS, k=draw.randint(0, 3))
        if self._maybe(0.2):
            new["delay_seconds"] = draw.choice((0, 3600, 100_000))
        if self._maybe(0.3):
            new["priority"] = draw.choice(("low", "high"))
        if self._maybe(0.2):
            new["queue"] = draw.choice(("default", "other", "third:x"))
        new |= self._keys(new["payload"])
        for _ in range(draw.choice((0, 0, 0, 1, 1, 2))):
            name = draw.choice([*optional])
            new[name] = draw.choice(optional[name])
        if self._maybe(0.03):
            new["tags"] = draw.choice((TEXTS[:20], ["a"] * 33, ["a"] * 32, "a", None, [["a"]]))
        if self._maybe(0.02):
            del new["handler"]
        return new

    def _keys(self, payload: Any) -> dict[str, Any]:
        """Return unique keys, of which few are used, and what some handlers find them in."""
        draw, said = self._draw, {}
        if self._maybe(0.25):
            said["unique_key"] = draw.choice(("one", "two", "three"))
        if self._maybe(0.2):
            said["on_conflict"] = draw.choice(CONFLICTS[:3])
        if self._maybe(0.15) and isinstance(payload, dict):
            said["payload"] = {**payload, "key": draw.choice(VALUES)}
        return said

    def _headers(self) -> list[tuple[str, str]]:
        draw = self._draw
        headers = []
        if self._maybe(0.25):
            key = draw.choice(
                ("k1", "k2", "k3", "k4", "k5", "", "é".encode().decode("latin-1"), "k" * 256)
            )
            headers.append(("idempotency-key", key))
            if self._maybe(0.05):
                headers.append(("Idempotency-Key", "another"))
        if self._maybe(0.15):
            headers.append(("prefer", draw.choice(PREFERENCES)))
        if self._maybe(0.1):
            headers.append(
                ("traceparent", draw.choice(("x", TRACE, TRACE.replace("00-", "01-", 1) + "-more")))
            )
            if self._maybe(0.2):
                headers.append(("traceparent", TRACE))
        return headers

    def _json(self, method: str, path: str, body: Any, headers: list[tuple[str, str]]) -> Asked:
        draw = self._draw
        raw = json.dumps(body, ensure_ascii=self._maybe(0.5)).encode()
        if self._maybe(0.06):
            raw = draw.choice(BAD_JSON)
        media_type = draw.choice(CONTENT_TYPES) if self._maybe(0.05) else "application/json"
        headers = [*headers, *([("content-type", media_type)] if self._maybe(0.99) else [])]
        if self._maybe(0.01):
            headers.append(("content-encoding", draw.choice(("gzip", "identity", " IDENTITY "))))
        return Asked(method, path, headers=headers, body=raw)

    def _submit(self) -> Asked:
        body = self._draw.choice((None, [], 3, "x", {})) if self._maybe(0.03) else self._new()
        if self._maybe(0.15):
            body = {"handler": "t.rows", "payload": {"n": self._draw.randint(1, 2)}}
        return self._json("POST", "/tasks", body, self._headers())

    def _batch(self) -> Asked:
        items: Any = [self._new() for _ in range(self._draw.choice((1, 2, 3, 5)))]
        if self._maybe(0.3):
            items = [{"handler": "t.rows"}] * self._draw.choice((1, 2, 3))
        if self._maybe(0.1):
            items = self._draw.choice(
                ([], None, {}, [3], [None, {}], [{"handler": "t.rows"}] * 1001)
            )
        body = {"items": items} if self._maybe(0.97) else {"items": items, "more": 1}
        return self._json("POST", "/tasks/batch", body, self._headers())

    def _wait(self) -> Asked:
        draw = self._draw
        ids: Any = [f"{{id{draw.randint(0, 60)}}}" for _ in range(draw.choice((1, 2, 3)))]
        if self._maybe(0.2):
            ids = draw.choice(
                ([], ["x"], ["0" * 32], [5], None, ["{id0}"] * 3, "019aa1c6-4f2e-7c31")
            )
        body: dict[str, Any] = {"ids": ids, "timeout_seconds": draw.choice((0, 0.01))}
        if self._maybe(0.15):
            body["timeout_seconds"] = draw.choice((-1, 61, "x", None, True, 0.0))
        return self._json("POST", "/tasks/wait", body, [])

    def _list(self) -> Asked:
        draw = self._draw
        query = []
        for _ in range(draw.choice((0, 1, 1, 2, 3))):
            name = draw.choice([*QUERIES])
            values = QUERIES[name]
            query.append((name, draw.choice(values if self._maybe(0.3) else values[:2])))
        asked = Asked("GET", "/tasks", query, task=draw.randint(0, 60))
        if self._maybe(0.4):
            asked.query = [
                ("limit", draw.choice(("1", "2", "3"))),
                *draw.choice(([], [("order", "created_at")])),
            ]
            asked.cursor = draw.randint(0, 3) if self._maybe(0.7) else -1
        return asked

    def _bulk(self) -> Asked:
        draw = self._draw
        filters: dict[str, Any] = {}
        for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
            name = draw.choice([*FILTERS])
            filters[name] = draw.choice(FILTERS[name])
        body: dict[str, Any] = {
            "action": draw.choice(("retry", "retry", "cancel", "delete", "update")),
            "filter": filters,
        }
        if (body["action"] == "update") != self._maybe(0.05):
            names = draw.sample([*CHANGES], k=draw.choice((0, 1, 1, 2)))
            body["changes"] = {name: draw.choice(CHANGES[name]) for name in names}
        if self._maybe(0.3):
            body["dry_run"] = draw.choice((True, True, False, "x", None, 1))
        if self._maybe(0.3):
            body["limit"] = draw.choice((1, 2, 3, 1_000_000, 1_000_001, 0, "x", None, 1.0))
        if self._maybe(0.05):
            body[draw.choice(("action", "filter", "limit", "order"))] = draw.choice(TEXTS)
        return self._json("POST", "/tasks/bulk", body, self._headers())

    def _operation(self) -> Asked:
        draw = self._draw
        asked = Asked(*draw.choice(OF_OPERATIONS), task=int(draw.expovariate(0.5)))
        if asked.path == "/bulk" and self._maybe(0.5):
            asked.query = [("limit", draw.choice(("1", "2", "x")))]
            asked.cursor = draw.randint(0, 3) if self._maybe(0.5) else -1
        if asked.path == "/bulk" and self._maybe(0.5):
            states = ("running", "succeeded", "stopped", "done", "")
            asked.query += [("state", draw.choice(states)) for _ in range(draw.choice((1, 2)))]
        return asked

    def _one(self, method: str, action: str = "") -> Asked:
        back = int(self._draw.expovariate(0.3))
        asked = Asked(method, f"/tasks/{{id}}{action}", task=back)
        asked.upper = self._maybe(0.05)
        if self._maybe(0.05):
            asked.path = f"/tasks/019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911{action}"
        return asked

    def _get(self) -> Asked:
        draw = self._draw
        asked = self._one(
            draw.choice(("GET", "GET", "GET", "HEAD")), draw.choice(("", "", "/attempts"))
        )
        if self._maybe(0.25):
            asked.query.append(("wait", draw.choice(WAITS)))
        if self._maybe(0.3):
            asked.headers.append(("if-none-match", draw.choice(TAGGED).encode().decode("latin-1")))
        if self._maybe(0.15):
            asked.headers.append(("prefer", draw.choice(PREFERENCES[:-1])))
        return asked

    def _update(self) -> Asked:
        draw = self._draw
        fields: dict[str, tuple[Any, ...]] = {
            "title": TEXTS, "description": TEXTS, "priority": PRIORITIES, "run_at": TIMES,
            "tags": (["a"], ["b", "a", "b"], [], None, TEXTS[:3], "x"), "max_retries": NUMBERS,
            "timeout_seconds": NUMBERS, "status": ("failed",), "payload": ({},),
        }  # fmt: skip
        names = draw.sample([*fields], k=draw.choice((0, 1, 1, 1, 2)))
        changes = {name: draw.choice((None, draw.choice(fields[name]))) for name in names}
        if self._maybe(0.3):
            changes = {"run_at": None}
        one = self._one("PATCH")
        asked = self._json("PATCH", one.path, changes, [])
        asked.task = one.task
        if self._maybe(0.4):
            asked.headers.append(("if-match", draw.choice(TAGGED).encode().decode("latin-1")))
        return asked

    def _act(self) -> Asked:
        draw = self._draw
        method, action = draw.choice((("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")))
        return self._one(method, action)

    def _events(self) -> Asked:
        asked = self._one(self._draw.choice(("GET", "HEAD")), "/events")
        bad = self._maybe(0.2)
        asked.query.append(
            ("timeout_seconds", self._draw.choice(("-1", "x", "86401")) if bad else "0")
        )
        if self._maybe(0.5):
            seen = self._draw.choice(("1", "2", "3", "4", "x", "9" * 30, "", "-1", "+1"))
            asked.headers.append(("last-event-id", seen))
        return asked

    def _odd(self) -> Asked:
        asked = Asked(self._draw.choice(METHODS), self._draw.choice(PATHS))
        if asked.method in ("POST", "PATCH") and self._maybe(0.5):
            asked.headers.append(("content-type", "application/json"))
            asked.body = self._draw.choice(BAD_JSON)
        return asked

    def _queue(self) -> Asked:
        draw = self._draw
        name = draw.choice(("default", "other", "third:x", "third:x", "q/1", "q%2F2"))
        if self._maybe(0.15):
            name = draw.choice(("", "-a", "a" * 65, "q/pause", "q/resume", "%20", "%C3%A9", ".."))
        verb = draw.choice(("pause", "resume", "resume"))
        asked = Asked("POST", f"/queues/{name}/{verb}")
        if self._maybe(0.3):
            return Asked("GET", "/queues")
        if self._maybe(0.5):
            notes = ("why", None, "", 1, "x" * 501, "\x1b", "two\nlines")
            asked = self._json("POST", asked.path, {"note": draw.choice(notes)}, [])
        return asked

    def _schedule(self) -> Asked:
        draw, of = self._draw, self._schedules
        (kind,) = draw.choices(
            ("set", "patch", "get", "list", "preview", "act"), (6, 4, 2, 2, 2, 5)
        )
        match kind:
            case "set":
                asked = self._json("PUT", of.path(), of.body(), [])
            case "patch":
                asked = self._json("PATCH", of.path(), of.patch(), [])
            case "list":
                listed = Asked("GET", "/schedules", of.listed())
                listed.cursor = draw.randint(0, 3) if self._maybe(0.3) else -1
                return listed
            case "preview":
                return Asked("GET", "/schedules/preview", of.previewed())
            case "act":
                return self._act_on_schedule()
            case _:
                asked = Asked(draw.choice(("GET", "GET", "HEAD", "DELETE")), of.path())
        if self._maybe(0.2):
            header = draw.choice(("if-match", "if-none-match"))
            asked.headers.append((header, of.tags().encode().decode("latin-1")))
        return asked

    def _act_on_schedule(self) -> Asked:
        draw, of = self._draw, self._schedules
        action = draw.choice(("/pause", "/resume", "/resume", "/fire", "/fire"))
        if action == "/pause" and self._maybe(0.5):
            notes = ("why", None, "", 1, "x" * 501, "\x1b", "two\nlines")
            return self._json("POST", of.path(action), {"note": draw.choice(notes)}, [])
        return Asked("POST", of.path(action))

    def _plain(self) -> Asked:
        return Asked(
            "GET",
            self._draw.choice(
                ("/tags", "/handlers", "/stats", "/stats/history", "/failures", "/livez", "/readyz")
            ),
        )

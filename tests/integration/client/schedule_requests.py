"""Random requests about schedules, good and bad ones."""

import json
import random
from typing import Any

from tests.integration.client.values import TAGGED, TEXTS, TIMES

NAMES = ("a", "b", "s.1", "S_2", "t-3")
ODD_NAMES = (
    "preview", "code:t.rows", "code:a/b", "nobody", "a%20b", "x" * 129, "x" * 128, "%C3%A9",
    "pause", "a/b", "code:", "a%00", "code:" + "x" * 129, "a/pause", "code:a/pause",
)  # fmt: skip
FAR = "2090-01-01T00:00:00Z"
CRONS = (
    "0 6 * * *", "*/5 * * * *", "@daily", "@yearly", "30 2 * * 1-5", "0 0 29 2 *", "0 0 L * *",
    "0 0 * * FRI#2",
)  # fmt: skip
ODD_CRONS: tuple[Any, ...] = (
    "61 * * * *", "* * *", "0 0 31 2 *", "@reboot", "a b c d e", "*/90 * * * *", "0 0 * * 8", "", 5,
    None, "5-1 * * * *", "0 0 32 * *", "x" * 129, "é * * * *", "0 0 * 13 *", " 0  6 * * * ",
)  # fmt: skip
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
ODD_ZONES: tuple[Any, ...] = (
    "Europe/Berli",
    "europe/berlin",
    "",
    "x" * 65,
    None,
    1,
    "Factory",
    "..",
)
PAYLOADS: tuple[Any, ...] = (
    {"value": 1}, {"value": {"a": 1, "b": [1]}}, {"value": "é"}, {}, None, [], {"value": 1, "x": 2},
)  # fmt: skip
OPTIONS: dict[str, tuple[Any, ...]] = {
    "title": ("T", None, "", 5), "description": ("d", None), "priority": ("high", "x", None),
    "tags": (["b", "a", "b"], [], None, "x", [""]), "queue": ("other", "default", None, "", "é"),
    "timeout_seconds": (60, 0, None), "max_retries": (0, 101, None),
    "keep_seconds": (60, 0.5, None), "backoff_base_seconds": (1, None),
    "backoff_max_seconds": (5.5, -1, None),
    "run_at": (None, FAR), "delay_seconds": (5,), "more": (1,),
}  # fmt: skip
OWN: dict[str, tuple[Any, ...]] = {
    "catch_up": ("last", "all", "none", "some", None),
    "catch_up_seconds": (0, 60.5, 86_400, -1, 31_622_401, None, "x"),
    "jitter_seconds": (0, 86_401, -1, None, True),
    "starts_at": (FAR, "8999-12-31T23:59:59Z", "x", 5, "2026-09-01T12:00:00", ""),
    "ends_at": (*TIMES, FAR), "paused": (True, False, None, "x", 1),
    "note": ("why", None, "", "x" * 501, "two\nlines", "\x1b", 1),
    "timezone": (*ZONES, *ODD_ZONES), "cron": (*CRONS, *ODD_CRONS),
    "every_seconds": (60, 0.5, 31_622_401, None, "60", 1.5), "overlap": ("queue", "none", None),
    "name": ("a",), "version": (1,), "task": (None, {}, [], "x", {"handler": "nobody.has.this"}),
}  # fmt: skip
"""What may stand in a request; where it may fire here, `starts_at` is far away."""


class ScheduleRequests:
    """Draw requests about schedules: method, path, query, headers and body.

    Args:
        draw: Decides all of them.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw

    def path(self, action: str = "") -> str:
        """Return the path of a schedule."""
        odd = self._draw.random() < 0.12
        return f"/schedules/{self._draw.choice(ODD_NAMES if odd else NAMES)}{action}"

    def body(self) -> Any:
        """Return what a `PUT` may send."""
        draw = self._draw
        given: dict[str, Any] = {"task": self._task()}
        if draw.random() < 0.5:
            given |= {"cron": draw.choice(CRONS), "timezone": draw.choice(ZONES)}
            given["overlap"] = draw.choice(("skip", "queue", "allow", "cancel"))
            given["starts_at"] = FAR
        else:  # these fire: the server would look for the end of a task a second later
            given |= {"every_seconds": draw.choice((60_000.5, 90_000, 300_000))}
            given["overlap"] = draw.choice(("skip", "allow"))
        if draw.random() < 0.3:
            given["note"] = "why"
        if draw.random() < 0.1:
            given["paused"] = draw.choice((True, False, None))
        if draw.random() < 0.35:
            name = draw.choice([*OWN])
            given[name] = draw.choice(OWN[name])
            if name in ("cron", "overlap", "every_seconds"):
                given["starts_at"] = FAR
        if draw.random() < 0.03:
            return draw.choice((None, [], 3, {}, {"task": given["task"]}))
        return given

    def patch(self) -> Any:
        """Return what a `PATCH` may send."""
        draw = self._draw
        names = draw.sample([*OWN], k=draw.choice((0, 1, 1, 2)))
        given = {name: draw.choice(OWN[name]) for name in names}
        if draw.random() < 0.4:
            task: dict[str, Any] = {}
            for name in draw.sample([*OPTIONS], k=draw.choice((0, 1, 2))):
                task[name] = draw.choice(OPTIONS[name])
            if draw.random() < 0.3:
                task["payload"] = draw.choice((*PAYLOADS, {"value": {"a": None, "c": 3}}))
            given["task"] = task
        if {"cron", "overlap", "every_seconds"} & given.keys():
            given["starts_at"] = FAR
        return given

    def tags(self) -> str:
        """Return entity tags of schedules."""
        return self._draw.choice(
            (
                *TAGGED,
                '"1-0"',
                '"1-1"',
                'W/"1-0"',
                '"2-0", "2-1"',
                '"1-x"',
                '"-"',
                '"1"',
                '"2"',
                '"3"',
            )
        )

    def listed(self) -> list[tuple[str, str]]:
        """Return the query of a list."""
        values = {
            "handler": ("t.rows", "taskq.echo", "", "é"),
            "paused": ("true", "false", "1", "no", "x", ""),
            "limit": ("1", "2", "0", "x"),
            "cursor": ("", "x", "!" * 30, "A" * 30, "x" * 201, "é"),
            "more": ("1",),
        }
        names = self._draw.sample([*values], k=self._draw.choice((0, 0, 1, 1, 2)))
        return [(name, self._draw.choice(values[name])) for name in names]

    def previewed(self) -> list[tuple[str, str]]:
        """Return the query of a preview."""
        draw = self._draw
        query = [("cron", draw.choice(CRONS)), ("timezone", draw.choice(ZONES))]
        if draw.random() < 0.3:
            query = [("every_seconds", draw.choice(("60", "0.5", "7.25", "x", "1e3", "31622400")))]
        if draw.random() < 0.3:
            odd = [one for one in ODD_CRONS if isinstance(one, str)]
            query.append(("cron", draw.choice(odd)))
        for name, values in (
            ("starts_at", ("2027-03-27T00:00:00Z", "x", "2026-09-01T12:00:00")),
            ("ends_at", ("2026-10-01T00:00:00Z", "2020-01-01T00:00:00Z", "")),
            ("count", ("1", "3", "0", "x", "1001", "1.0")),
            ("timezone", ("Europe/Berli", "", "x" * 65)),
            ("more", ("1",)),
        ):
            if draw.random() < 0.15:
                query.append((name, draw.choice(values)))
        return query

    def _task(self) -> Any:
        draw = self._draw
        handler, payload = draw.choice((("t.rows", {"n": 1}), ("taskq.echo", {"value": {"a": 1}})))
        task: dict[str, Any] = {"handler": handler, "payload": payload}
        if draw.random() < 0.4:
            name = draw.choice([*OPTIONS])
            task[name] = draw.choice(OPTIONS[name])
        if draw.random() < 0.1:
            task["payload"] = draw.choice(PAYLOADS)
        if draw.random() < 0.05:
            task["handler"] = draw.choice((*TEXTS[:8], "nobody.has.this", 5))
        if draw.random() < 0.03:
            return draw.choice((None, [], {}, 5, {"payload": {}}))
        return json.loads(json.dumps(task))

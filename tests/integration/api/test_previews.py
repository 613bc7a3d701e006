"""When a schedule would fire, over HTTP."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from taskq_server.runtime import Runtime

PATH = "/schedules/preview"
START = "2027-03-27T12:00:00Z"


async def preview(api: httpx.AsyncClient, **query: Any) -> httpx.Response:
    return await api.get(PATH, params=query)


async def test_times_in_a_zone(api: httpx.AsyncClient) -> None:
    response = await preview(
        api, cron="30 2 * * *", timezone="Europe/Berlin", starts_at=START, count=3
    )
    assert response.status_code == 200
    assert response.json() == {
        "times": [  # at the second, clocks are moved from 02:00 to 03:00
            "2027-03-28T01:00:00Z",
            "2027-03-29T00:30:00Z",
            "2027-03-30T00:30:00Z",
        ],
        "text": "At 02:30 every day",
    }


async def test_ten_times_from_now_on_in_utc(api: httpx.AsyncClient, runtime: Runtime) -> None:
    before = runtime.clock()
    found = (await preview(api, cron="@hourly")).json()["times"]
    times = [datetime.fromisoformat(each) for each in found]
    assert before < times[0] <= runtime.clock() + timedelta(hours=1)
    assert times == [times[0] + number * timedelta(hours=1) for number in range(10)]
    assert all(each.minute == 0 and each.utcoffset() == timedelta() for each in times)


async def test_pauses_are_counted_from_the_start_or_from_now(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    found = (await preview(api, every_seconds="1.5e2", starts_at=START, count=2)).json()
    assert found["times"] == ["2027-03-27T12:00:00Z", "2027-03-27T12:02:30Z"]
    assert found["text"] == "Every 150 seconds"
    before = runtime.clock()
    (first,) = (await preview(api, every_seconds=3600, count=1)).json()["times"]
    assert before <= datetime.fromisoformat(first) - timedelta(hours=1) <= runtime.clock()


async def test_there_are_fewer_when_it_ends(api: httpx.AsyncClient) -> None:
    found = await preview(api, cron="@daily", starts_at=START, ends_at="2027-03-29T00:00:00Z")
    assert [each[:10] for each in found.json()["times"]] == ["2027-03-28", "2027-03-29"]
    past = await preview(api, cron="@daily", ends_at="2020-01-01T00:00:00Z")
    assert past.json()["times"] == []


async def test_a_hundred_rare_times(api: httpx.AsyncClient) -> None:
    times = (await preview(api, cron="0 0 * 2 1#5", count=100)).json()["times"]
    assert len(times) == 100
    assert times[0] == "2044-02-29T00:00:00Z"


@pytest.mark.parametrize(
    ("query", "code", "errors"),
    [
        ({}, "invalid-schedule", [("/query/cron", "invalid-schedule")]),
        ({"cron": "* * * * * *"}, "invalid-schedule", [("/query/cron", "invalid-schedule")]),
        ({"cron": "0 6 * * *\0"}, "invalid-schedule", [("/query/cron", "invalid-schedule")]),
        (
            {"cron": "@daily", "every_seconds": 60},
            "invalid-schedule",
            [("/query/every_seconds", "invalid-schedule")],
        ),
        (
            {"cron": "@daily", "timezone": "../UTC"},
            "unknown-timezone",
            [("/query/timezone", "unknown-timezone")],
        ),
        (
            {"cron": "@reboot", "timezone": "Berlin"},
            "invalid-schedule",
            [("/query/cron", "invalid-schedule"), ("/query/timezone", "unknown-timezone")],
        ),
        (
            {"cron": "@daily", "starts_at": START, "ends_at": "2027-01-01T00:00:00Z"},
            "invalid-schedule",
            [("/query/ends_at", "invalid-schedule")],
        ),
        (
            {"every_seconds": 0.5},
            "invalid-request",
            [("/query/every_seconds", "greater-than-equal")],
        ),
        ({"every_seconds": "nan"}, "invalid-request", [("/query/every_seconds", "invalid-value")]),
        ({"cron": "a" * 129}, "invalid-request", [("/query/cron", "string-too-long")]),
        ({"cron": ""}, "invalid-request", [("/query/cron", "string-too-short")]),
        ({"timezone": "A" * 65}, "invalid-request", [("/query/timezone", "string-too-long")]),
        (
            {"cron": "@daily", "count": 0},
            "invalid-request",
            [("/query/count", "greater-than-equal")],
        ),
        (
            {"cron": "@daily", "count": 101},
            "invalid-request",
            [("/query/count", "less-than-equal")],
        ),
        (
            {"cron": "@daily", "zone": "UTC"},
            "invalid-request",
            [("/query/zone", "unknown-parameter")],
        ),
    ],
)
async def test_what_cannot_be_is_said(
    api: httpx.AsyncClient, query: dict[str, Any], code: str, errors: list[tuple[str, str]]
) -> None:
    response = await preview(api, **query)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, code)
    assert [(each["pointer"], each["code"]) for each in problem["errors"]] == errors


async def test_it_is_no_schedule(api: httpx.AsyncClient) -> None:
    response = await api.delete(PATH)
    assert response.status_code in (404, 422)
    assert (await api.get("/schedules")).json()["items"] == []

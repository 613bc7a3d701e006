"""The fake's `GET /stats/events`, as a program asks for it that is no client of ours."""

import json

import httpx

from taskq_client.testing import FakeTaskq

PATH = "http://taskq/stats/events"


def test_the_counts_of_now_are_the_only_event() -> None:
    fake = FakeTaskq()
    fake.on("reports.build", {"rows": 3})
    fake.client().run("reports.build")
    fake.client().submit("reports.build", delay_seconds=60)
    with httpx.Client(transport=fake) as client:
        answer = client.get(PATH)
    retry, kind, data = answer.text.splitlines()[:3]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (retry, kind, answer.text[-2:]) == ("retry: 2000", "event: stats", "\n\n")
    tasks = {"queued": 1, "running": 0, "retrying": 0, "succeeded": 1, "failed": 0, "cancelled": 0}
    assert json.loads(data.removeprefix("data: ")) == {
        "tasks": tasks,
        "queues": [{"name": "default", "tasks": tasks, "depth": 1}],
        "workers": 1,
    }


def test_it_asks_for_the_scope_to_read() -> None:
    fake = FakeTaskq()
    keys = {fake.make_key("tasks:read"): 200, fake.make_key("metrics:read"): 403}
    with httpx.Client(transport=fake) as client:
        for key, status in keys.items():
            answer = client.get(PATH, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == status
        assert client.get(f"{PATH}?timeout_seconds=x").status_code == 401

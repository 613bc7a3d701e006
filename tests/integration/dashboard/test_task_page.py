"""The page of a task: all that the API says of it, as people find it, and as text only."""

import html
import json
import re
from uuid import UUID

import httpx
import pytest

from taskq_server.dashboard.plain_text import MOST_CHARACTERS
from taskq_server.dashboard.task_view import NEWEST_ATTEMPTS
from taskq_server.runtime import Runtime
from tests.integration.api.keys import calling_closed, make_key, shown
from tests.integration.api.scoped import SECRET, task_of
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.browsing import browsing, text_of
from tests.integration.dashboard.tasks import (
    BIDI,
    HOSTILE,
    assert_harmless,
    at,
    failed,
    submitted,
    tags_of,
)
from tests.support.callers import CALLER

NOBODY = "019aa1c6-4f2e-7c31-8d7a-6f0a52e3b911"


async def test_it_says_all_that_the_api_says(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(
        api,
        title="Monthly report",
        description="For the board.\nSecond line.",
        tags=["mail", "a b"],
        queue="reports",
        priority="high",
        timeout_seconds=90,
        max_retries=7,
        backoff_base_seconds=2,
        backoff_max_seconds=61,
        keep_seconds=7200,
        unique_key="report-2026",
        payload={"value": "text of the payload"},
    )
    said = text_of(await api.get(at(task_id)))
    for each in (
        "Monthly report queued", task_id, "For the board. Second line.", "mail", "a b", "reports",
        "Priority high", "Namespace default", "Unique key report-2026", "0 of 7 used",
        "1 min 30 s", "2.0 s", "1 min 1 s", "2 h 0 min", "Version 1", "text of the payload",
        "a caller without a key", "Attempt 1 waits for a worker", "There is none yet.",
    ):  # fmt: skip
        assert each in said, each


async def test_links_lead_to_what_it_belongs_to(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await failed(api, worker, tags=["a&b c"], queue="reports")
    page = (await api.get(at(task_id))).text
    for link in (
        "/dashboard/tasks?handler=taskq.echo", "/dashboard/tasks?queue=reports",
        "/dashboard/tasks?tag=a%26b+c", f"/dashboard/workers#worker-{worker.id}",
        f"/dashboard/submit/taskq.echo?from={task_id}", at(task_id, "/edit"),
        at(task_id, "/payload.json"),
    ):  # fmt: skip
        assert f'href="{link}"' in page, link


async def test_a_fired_task_leads_to_its_schedule(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    body = {"every_seconds": 3600, "task": {"handler": "taskq.echo", "payload": {"value": 1}}}
    made = await api.put("/schedules/night.report", json=body)
    assert made.status_code == 201, made.text
    fired = await api.post("/schedules/night.report/fire")
    task_id = (await api.get("/tasks?schedule=night.report")).json()["items"][0]["id"]
    page = await api.get(at(task_id))
    assert fired.status_code == 201
    assert 'href="/dashboard/schedules/night.report"' in page.text
    assert "Submitted by schedule night.report" in text_of(page)


async def test_attempts_have_errors_durations_and_workers(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api, max_retries=3)
    await worker.release(await worker.claim(task_id))
    claimed = await worker.claim(task_id)
    running = text_of(await api.get(at(task_id)))
    assert "Attempt 2 running started" in running
    assert str(worker.id) in running
    await worker.fail(
        claimed, type="smtp.Refused", message="no\nluck", traceback="Traceback:\n  File x\nRefused"
    )
    page = await api.get(at(task_id))
    said = text_of(page)
    assert "Attempt 3 waits for a worker" in said
    assert said.index("Attempt 2 failed") < said.index("Attempt 1 released")
    assert "smtp.Refused no" in said
    assert "no\nluck</pre>" in page.text
    assert "Traceback:\n  File x\nRefused</pre>" in page.text
    assert "Next try from" in said
    assert "1 of 3 used" in said
    opened = re.findall(r'<details id="attempt-(\d+)"[^>]* open', page.text)
    assert opened == ["2"]
    assert re.search(r'<rect width="[\d.]+%"', page.text)


async def test_a_result_and_a_progress_are_shown(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    claimed = await worker.claim(task_id)
    await worker.report(claimed, {"current": 250, "total": 1000, "message": "half <b>"})
    page = await api.get(at(task_id))
    assert "250 of 1,000 · 25 % · half <b>" in text_of(page)
    assert 'value="0.2500" max="1"' in page.text
    await worker.succeed(claimed, {"sent": [1, 2]})
    after = await api.get(at(task_id))
    assert "{\n  &#34;sent&#34;: [\n    1,\n    2\n  ]\n}</pre>" in after.text
    assert "hx-sse" not in after.text.replace("hx-sse.min.js", "")


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ({"current": 3, "total": None, "message": None}, "3"),
        ({"current": 12, "total": 10, "message": "more"}, "12 of 10 · 100 % · more"),
        ({"current": -1, "total": 10, "message": None}, "-1 of 10 · 0 %"),
        ({"current": 1, "total": 0, "message": None}, "1 of 0"),
        (
            {"current": 999, "total": 1000, "message": f"a{BIDI}b"},
            "999 of 1,000 · 99 % · a\\u202eb",
        ),
        ("nonsense", ""),
    ],
)
async def test_any_progress_can_be_shown(
    api: httpx.AsyncClient, worker: ScriptedWorker, progress: object, said: str
) -> None:
    task_id = await submitted(api)
    await worker.report(await worker.claim(task_id), progress)  # type: ignore[arg-type]
    part = await api.get(at(task_id, "/parts"))
    assert part.status_code == 200
    (shown,) = re.findall(r'(?s)<div id="progress">(.*)<div class="columns">', part.text)
    assert " ".join(html.unescape(re.sub("<[^>]*>", " ", shown)).split()) == said


async def test_nothing_that_a_task_says_is_more_than_text(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    link = "javascript:alert(3)"
    task_id = await submitted(
        api,
        title=HOSTILE,
        description=f"{HOSTILE}\n{link}",
        tags=[HOSTILE[:60], link],
        unique_key=HOSTILE,
        payload={"value": {HOSTILE: f"{HOSTILE}{BIDI}", "link": link}},
    )
    claimed = await worker.claim(task_id)
    await worker.report(claimed, {"current": 1, "total": None, "message": HOSTILE})
    await worker.fail(
        claimed,
        fatal=True,
        type=HOSTILE,
        message=f"{HOSTILE}{BIDI}\x1b[31m {link}",
        traceback=f"{HOSTILE}{BIDI}\n" * 50,
    )
    for path in ("", "/edit", "/parts"):
        page = await api.get(at(task_id, path))
        assert page.status_code == 200, path
        assert HOSTILE in text_of(page)
        assert_harmless(page)


async def test_a_large_result_is_shown_in_part_and_is_a_file_in_full(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    result = {"<b>": ["x" * 100] * 10_000}
    await worker.succeed(await worker.claim(task_id), result)  # type: ignore[arg-type]
    page = await api.get(at(task_id))
    assert "This is the beginning." in text_of(page)
    assert MOST_CHARACTERS < len(page.content) < 3 * MOST_CHARACTERS
    file = await api.get(at(task_id, "/result.json"))
    assert file.json() == result
    assert file.headers["content-type"] == "application/json"
    assert file.headers.get_list("x-content-type-options") == ["nosniff"]
    disposition = file.headers["content-disposition"]
    assert disposition == f'attachment; filename="task-{task_id}-result.json"'
    assert file.headers["cache-control"] == "no-store"


async def test_a_payload_is_a_file_too(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    task_id = await submitted(api, payload={"value": "键"})
    file = await api.get(at(task_id, "/payload.json"))
    assert file.json() == {"value": "键"}
    assert file.headers["content-disposition"].startswith("attachment;")
    assert (await api.get(at(task_id, "/result.json"))).text == "null"


async def test_a_hundred_attempts_are_shortened_until_all_are_asked_for(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    for _ in range(100):
        await worker.release(await worker.claim(task_id))
    await worker.fail(await worker.claim(task_id), fatal=True, traceback=f"{HOSTILE}\n" * 100)
    newest = list(range(101, 101 - NEWEST_ATTEMPTS, -1))
    page = await api.get(at(task_id))
    assert numbers_of(page) == newest
    assert "Show all 101 attempts" in text_of(page)
    assert f'href="{at(task_id)}?attempts=all#attempts-title"' in page.text
    every = await api.get(at(task_id, "?attempts=all"))
    assert numbers_of(every) == list(range(101, 0, -1))
    assert "Show all" not in text_of(every)
    assert (await api.get(at(task_id, "?attempts=some"))).status_code == 422


async def test_the_parts_go_on_from_the_attempt_that_the_page_began_with(
    api: httpx.AsyncClient, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api)
    for _ in range(NEWEST_ATTEMPTS + 2):
        await worker.release(await worker.claim(task_id))
    page = await api.get(at(task_id))
    (since,) = re.findall(rf'hx-get="{at(task_id)}/parts\?since=(\d+)"', page.text)
    await worker.release(await worker.claim(task_id))
    part = await api.get(at(task_id, f"/parts?since={since}"))
    assert numbers_of(part) == list(range(NEWEST_ATTEMPTS + 3, int(since) - 1, -1))
    assert not any("open" in attributes for _, attributes in tags_of(part))
    assert "<html" not in part.text


@pytest.mark.parametrize("path", ["", "/parts", "/payload.json", "/result.json", "/edit"])
async def test_a_task_that_is_not_there_is_a_page_that_says_so(
    api: httpx.AsyncClient, path: str
) -> None:
    page = await api.get(at(NOBODY, path))
    problem = (await api.get(f"/tasks/{NOBODY}")).json()
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert problem["detail"] in text_of(page)
    assert problem["code"] in text_of(page)


@pytest.mark.parametrize("path", ["/dashboard/tasks/12", "/dashboard/nothing", "/dashboard/a/b/c"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_path_that_is_not_there_is_a_page_too(
    runtime: Runtime, path: str, method: str
) -> None:
    async with browsing(runtime) as client:
        page = await client.request(method, path)
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "nothing is served under this path" in text_of(page)
    assert 'href="/dashboard"' in page.text


async def test_a_key_without_read_sees_the_page_of_its_own_tasks_only(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    own = await make_key(runtime, "tasks:run:taskq.*")
    other = await make_key(runtime, "tasks:run:taskq.*")
    task_id = await task_of(runtime, own)
    async with calling_closed(runtime) as client:
        page = await client.get(at(task_id), headers=shown(own))
        assert SECRET in text_of(page)
        assert f"Submitted by key {own.id}" in text_of(page)
        assert "/dashboard/tasks?" not in page.text
        assert 'href="/dashboard/workers' not in page.text
        for path in ("", "/parts", "/payload.json"):
            refused = await client.get(at(task_id, path), headers=shown(other))
            assert refused.status_code == 404, path
            assert SECRET not in refused.text


async def test_it_speaks_chinese(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    task_id = await failed(api, worker)
    page = await api.get(at(task_id), headers={"Accept-Language": "zh"})
    for each in ("执行记录", "第 1 次执行", "已失败", "参数", "重试", "普通"):
        assert each in text_of(page), each


async def test_json_text_of_the_database_stays_as_it_is(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    task_id = await submitted(api, payload={"value": 1.5e300})
    stored = (await runtime.read.get(CALLER, UUID(task_id))).task.payload
    assert json.loads(stored) == {"value": 1.5e300}
    assert "1.5e300" in text_of(await api.get(at(task_id))).replace("e+", "e")


def numbers_of(page: httpx.Response) -> list[int]:
    """Return the numbers of the ended attempts of a page, in its order."""
    return [int(each) for each in re.findall(r'<details id="attempt-(\d+)"', page.text)]

"""The overview: how the work stands, the charts of the last hour, failures, and first steps."""

import asyncio
import html
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import event

from taskq_server.crud.tables import task_minutes
from taskq_server.domain import scopes
from taskq_server.domain.minutes import minute_of
from taskq_server.domain.task import Status
from taskq_server.runtime import Runtime
from tests.integration.api.conftest import Submit
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.test_failures import fail_some
from tests.integration.api.workers import add_worker
from tests.integration.dashboard.browsing import actions_of, browsing, text_of
from tests.integration.dashboard.marked_up import Page

FRAGMENTS = ("/overview/now", "/overview/charts", "/overview/failures")
HOSTILE = "<script>alert(1)</script>\"' onx=1"


async def look(client: httpx.AsyncClient, path: str = "", **headers: str) -> httpx.Response:
    answer = await client.get(f"/dashboard{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def tiles(page: httpx.Response) -> dict[str, tuple[str, str]]:
    """Return the big numbers by what is said of them, with where they lead."""
    found = re.findall(
        r'(?s)class="tile" href="([^"]*)">\s*<span[^>]*>(.*?)</span>\s*<strong[^>]*>(.*?)</strong>',
        page.text,
    )
    return {name: (re.sub("<[^>]*>", "", number), html.unescape(to)) for to, name, number in found}


def charts(page: httpx.Response) -> list[dict[str, Any]]:
    return [
        json.loads(html.unescape(each)) for each in re.findall(r"data-chart='(.*?)'", page.text)
    ]


async def lived(runtime: Runtime, queues: int, minutes: int = 60) -> datetime:
    """Store minutes in which the nth queue ended n attempts, n of which failed; return the last."""
    now = runtime.clock()
    there = range(minute_of(now) - minutes, minute_of(now))
    rows: list[dict[str, Any]] = [
        {
            "namespace": "default",
            "queue": f"q{n:03}",
            "minute": minute,
            "succeeded": 10 * n,
            "failed": n,
            "run_milliseconds": 50 * n,
            "depth": n,
            "running": 1,
        }
        for n in range(queues)
        for minute in there
    ]
    nothing = dict.fromkeys(("succeeded", "failed", "run_milliseconds", "depth", "running"), 0)
    rows += [{"namespace": "", "queue": "", "minute": minute, **nothing} for minute in there]
    await runtime.database.write(lambda c: c.execute(task_minutes.insert(), rows))
    return now


async def test_numbers_of_each_status_lead_to_their_tasks(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    await add_worker(runtime)
    for _ in range(3):
        await submit()
    await worker.claim((await submit())["id"])
    await worker.succeed(await worker.claim((await submit())["id"]), 1)
    for fatal in (True, False):
        await worker.fail(await worker.claim((await submit())["id"]), fatal=fatal)
    await api.post(f"/tasks/{(await submit())['id']}/cancel")
    shown = tiles(await look(api))
    expected = {"queued": "3", "running": "1", "retrying": "1", "failed": "1", "succeeded": "1"}
    for status in Status:
        number, to = shown[status.value.capitalize()]
        assert number == expected.get(status.value, "1")
        path, query = urlsplit(to)[2:4]
        assert path == "/dashboard/tasks"
        listed = await api.get(f"/tasks?{query}")
        assert len(listed.json()["items"]) == int(number)
    assert shown["Workers alive"] == ("1", "/dashboard/workers")
    oldest, to = shown["Oldest due"]
    assert "UTC" in oldest
    assert parse_qs(urlsplit(to).query)["queue"] == ["default"]


async def test_each_group_of_failures_leads_to_its_tasks_and_to_an_example(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    await fail_some(runtime, 4, ago=7_200, message="long ago")
    newest = (await fail_some(runtime, 3))[-1]
    await fail_some(runtime, 2, fatal=False, message="later")
    page = Page((await look(api)).text)
    text = " ".join(each.text for each in page.all("section", id="failures"))
    assert "ValueError no luck" in text
    assert "at all" not in text
    assert "long ago" not in text
    (failed,) = (each for each in page.all("a") if each.text == "3" and "td" in each.around)
    query = urlsplit(failed.attributes["href"]).query
    assert parse_qs(query).keys() == {"status", "handler", "error_type", "finished_after"}
    listed = (await api.get(f"/tasks?{query}")).json()["items"]
    assert len(listed) == 3
    (retrying,) = (each for each in page.all("a") if each.text == "2" and "td" in each.around)
    listed = (await api.get(f"/tasks?{urlsplit(retrying.attributes['href']).query}")).json()[
        "items"
    ]
    assert {each["status"] for each in listed} == {"retrying"}
    assert f"/dashboard/tasks/{newest.id}" in {
        each.attributes.get("href") for each in page.all("a")
    }


async def test_the_last_hour_is_drawn_and_also_said(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    now = await lived(runtime, 3, minutes=90)
    page = await look(api, "/overview/charts")
    drawn = charts(page)
    assert len(drawn) == 4
    for chart in drawn:
        assert len(chart["times"]) == 61
        assert chart["times"][-1] <= now.timestamp() + 60
        assert {len(line) for line in chart["lines"]} == {61}
    ended, failed, waiting, running = (chart["lines"] for chart in drawn)
    assert [line[-2] for line in ended] == [0, 11, 22]
    assert [line[-2] for line in failed] == [0, 1, 2]
    assert [line[-1] for line in ended] == [None] * 3
    assert [line[-2] for line in waiting] == [0, 1, 2]
    assert [line[-2] for line in running] == [1, 1, 1]
    assert 'role="img"' in page.text
    assert "q002 22, at most 22" in html.unescape(page.text)
    rows = re.findall(r'(?s)<th scope="row">(.*?)</th>\s*<td class="number">([\d,]+)', page.text)
    assert rows == [("q000", "0"), ("q001", "660"), ("q002", "1,320")]


async def test_of_two_hundred_queues_eight_are_drawn_and_the_rest_is_summed(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await lived(runtime, 200)
    page = await look(api)
    for chart in charts(page):
        assert len(chart["lines"]) == 9
    assert charts(page)[1]["lines"][-1][-2] == sum(range(192))
    assert "192 others are summed" in text_of(page)
    assert "q199" in page.text
    assert "q191" not in page.text


async def test_what_needs_attention(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    await add_worker(runtime)
    await submit(queue="lonely")
    await submit(queue="held")
    await api.post("/queues/held/pause", json={"note": HOSTILE})
    await fail_some(runtime, 3)
    page = await look(api)
    said = text_of(page)
    assert "No worker listens to lonely . 1 task waits." in said
    assert "reports.build fails. 3 tasks within the hour: ValueError" in said
    assert "held is paused" in said
    assert HOSTILE in said
    assert "<script>alert" not in page.text
    assert 'href="/dashboard/tasks?queue=lonely&amp;status=queued' in page.text


async def test_all_is_well(api: httpx.AsyncClient, worker: ScriptedWorker, submit: Submit) -> None:
    await worker.succeed(await worker.claim((await submit())["id"]), 1)
    said = text_of(await look(api))
    assert "Nothing: all queues move, and nothing fails." in said
    assert "No task has failed in the last hour, and none is retrying." in said


async def test_who_comes_before_any_worker_is_told_how_to_start_one(
    api: httpx.AsyncClient,
) -> None:
    said = text_of(await look(api))
    assert "No worker is alive, so nothing would run." in said
    assert "taskq-server worker" in said


async def test_who_comes_first_is_told_what_to_do(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await add_worker(runtime)
    page = await look(api)
    said = text_of(page)
    assert "There is no task yet." in said
    assert "1 worker waits for tasks." in said
    assert 'href="/dashboard/submit"' in page.text
    code = html.unescape(re.findall(r"(?s)<code>(.*?)</code>", page.text)[-1])
    compile(code, "first task", "exec")
    assert 'TaskqClient("http://taskq")' in code
    assert "taskq.echo" in code


async def test_without_a_worker_what_waits_is_said(api: httpx.AsyncClient, submit: Submit) -> None:
    await submit()
    said = text_of(await look(api))
    assert "No worker is alive. 1 task waits. Start one: taskq-server worker" in said


async def test_the_page_follows_the_counts_by_itself(
    api: httpx.AsyncClient, submit: Submit
) -> None:
    await submit(queue="a/b:c")
    page = await look(api)
    paths = [
        json.loads(html.unescape(each)) for each in re.findall("data-count='(.*?)'", page.text)
    ]
    assert ["tasks", "failed"] in paths
    assert ["workers"] in paths
    assert ["queues", "a/b:c", "depth"] in paths
    async with api.stream("GET", "/stats/events?timeout_seconds=0") as events:
        data = [line[6:] async for line in events.aiter_lines() if line.startswith("data: ")]
    for path in paths:
        value = json.loads(data[0])
        for name in path:
            value = (
                next(each for each in value if each["name"] == name)
                if isinstance(value, list)
                else value[name]
            )
        assert isinstance(value, int), path


@pytest.mark.parametrize("path", FRAGMENTS)
async def test_parts_come_alone_and_change_nothing(
    api: httpx.AsyncClient, submit: Submit, path: str
) -> None:
    await submit()
    part = await look(api, path)
    assert "<html" not in part.text
    assert actions_of(part) == []
    assert "style=" not in part.text
    assert "default-src 'none'" in part.headers["content-security-policy"]
    assert (await api.post(f"/dashboard{path}")).status_code in {403, 405, 421}


async def test_many_who_look_cost_one_read(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await lived(runtime, 3)
    statements: list[str] = []
    engine = runtime.database.engine.sync_engine

    def heard(*given: Any) -> None:
        statements.append(given[2])

    for path in FRAGMENTS:
        await look(api, path)
    event.listen(engine, "before_cursor_execute", heard)
    try:
        await asyncio.gather(*(look(api, path) for path in FRAGMENTS[1:] for _ in range(50)))
    finally:
        event.remove(engine, "before_cursor_execute", heard)
    assert [each for each in statements if "task_minutes" in each or "FROM tasks" in each] == []


async def test_who_may_only_measure_sees_numbers_and_charts(
    runtime: Runtime, worker: ScriptedWorker, submit: Submit
) -> None:
    await submit()
    await fail_some(runtime, 1)
    async with browsing(runtime, scopes=(scopes.METRICS,)) as client:
        page = await look(client)
        assert "Queued 1" in text_of(page)
        assert len(charts(page)) == 4
        assert "/dashboard/tasks" not in page.text
        assert "ValueError" not in page.text
        assert "Needs attention" not in page.text
        assert "/stats/events" not in page.text
        assert (await client.get("/dashboard/overview/failures")).status_code == 403
        assert "ValueError" not in (await look(client, "/overview/now")).text


async def test_who_may_only_submit_sees_nothing_of_it(runtime: Runtime) -> None:
    async with browsing(runtime, scopes=("tasks:run:*",)) as client:
        for path in ("", *FRAGMENTS):
            assert (await client.get(f"/dashboard{path}")).status_code == 403


async def test_a_slash_too_many_is_forgiven(api: httpx.AsyncClient) -> None:
    answer = await api.get("/dashboard/")
    assert (answer.status_code, answer.headers["location"]) == (308, "/dashboard")


async def test_it_is_in_chinese(api: httpx.AsyncClient, submit: Submit) -> None:
    await submit()
    page = await look(api, "", **{"Accept-Language": "zh-CN"})
    assert "最近一小时的失败" in page.text
    assert "排队中" in page.text


async def test_other_namespaces_are_not_shown(
    api: httpx.AsyncClient, runtime: Runtime, submit: Submit
) -> None:
    await submit()
    await fail_some(runtime, 2, namespace="other", message="a secret")
    page = await look(api)
    assert "a secret" not in page.text
    assert tiles(page)["Failed"][0] == "0"

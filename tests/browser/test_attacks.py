"""What other sites, other namespaces and those who have left try, and do not get."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from taskq_server.dashboard import routes
from taskq_server.dashboard.page_route import PageRoute
from tests.support.browser_fixtures import NewPage
from tests.support.guarded import OTHER, Guarded, enter
from tests.support.other_site import OtherSite, other_site
from tests.support.page_watch import PageWatch

LATER = {"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 86_400}
_READ = """
async (urls) => {
  const got = [];
  for (const url of urls) {
    for (const more of [{}, { mode: "no-cors" }, { method: "POST", body: "status=failed" }]) {
      const answer = await fetch(url, { credentials: "include", ...more }).catch(() => null);
      const text = await answer?.text().catch(() => "") ?? "";
      if (text) got.push(`${url}: ${text.slice(0, 80)}`);
    }
  }
  return got;
}
"""
_LISTEN = """
(url) => new Promise((resolve) => {
  const source = new EventSource(url, { withCredentials: true });
  source.addEventListener("stats", (event) => resolve(event.data));
  source.addEventListener("error", () => { source.close(); resolve(null); });
})
"""


@pytest.fixture
def site() -> Iterator[OtherSite]:
    with other_site() as opened:
        yield opened


@pytest.fixture
def things(guarded: Guarded) -> dict[str, str]:
    """What there is to attack: the parameters of paths, and what stands for them."""
    (task,) = guarded.ask("POST", "/tasks/batch", {"items": [{**LATER, "queue": "aim"}]})["items"]
    schedule = {"cron": "0 4 * * *", "task": {"handler": "taskq.echo", "payload": {"value": 1}}}
    guarded.ask("PUT", "/schedules/aim", schedule)
    wanted = {"action": "cancel", "filter": {"tag": ["nothing"]}}
    bulk = guarded.ask("POST", "/tasks/bulk", wanted)
    key, _ = guarded.make_key("aim", "tasks:read")
    return {
        "task_id": task["id"],
        "operation_id": bulk["id"],
        "key_id": key,
        "handler": "taskq.echo",
        "action": "cancel",
        "name": "aim",
    }


def post_paths() -> list[str]:
    """The paths of all forms of the dashboard."""
    found = [each for router in routes.ROUTERS for each in router.routes]
    paths = {each.path for each in found if isinstance(each, PageRoute) and "POST" in each.methods}
    return sorted(path for path in paths if "{rest" not in path)  # what takes all paths has none


def filled(path: str, things: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: things[found[1]], path)


def state(guarded: Guarded, things: dict[str, str]) -> Any:
    paths = (
        *("/tasks?queue=aim", "/schedules", "/keys?namespace=*", "/keys", "/bulk"),
        f"/tasks/{things['task_id']}",
    )
    queues = [each["paused_at"] for each in guarded.ask("GET", "/queues")["items"]]
    found = [guarded.ask("GET", path) for path in paths]
    for key in [*found[2]["items"], *found[3]["items"]]:
        key.pop("last_used_at")
    return queues, found


@pytest.mark.parametrize("kind", ["same_site", "cross_site"])
def test_a_form_of_another_origin_changes_nothing(
    new_page: NewPage,
    guarded: Guarded,
    watch: PageWatch,
    site: OtherSite,
    things: dict[str, str],
    kind: str,
) -> None:
    watch.allow("request to another origin", "status of 421")
    page = enter(new_page(guarded.url), guarded.operator)
    fields = {"id": things["task_id"], "confirmed": "yes", "language": "zh", "namespace": OTHER}
    fields |= {"key": "stolen", "name": "stolen", "scopes": "admin", "cron": "* * * * *"}
    inputs = "".join(f'<input name="{name}" value="{text}">' for name, text in fields.items())
    before = state(guarded, things)
    paths = post_paths()
    assert len(paths) > 15
    for number, path in enumerate(paths):
        address = f"{guarded.url}{filled(path, things)}?tag=nothing"
        form = f'<form method="post" action="{address}">{inputs}<button>win</button></form>'
        site.pages[f"/{number}"] = form
        page.goto(f"{getattr(site, kind)}/{number}")
        with page.expect_navigation() as answered:
            page.get_by_role("button", name="win").click()
        assert answered.value is not None
        assert answered.value.status == 421, path
    assert state(guarded, things) == before
    page.goto("/dashboard")  # neither signed out, nor in another language or namespace
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.locator(".who strong")).to_have_text("default")


@pytest.mark.parametrize("kind", ["same_site", "cross_site"])
def test_another_origin_reads_nothing(
    new_page: NewPage,
    guarded: Guarded,
    watch: PageWatch,
    site: OtherSite,
    things: dict[str, str],
    kind: str,
) -> None:
    watch.allow("request to another origin", "CORS|ERR_BLOCKED", ".*(net::ERR|status of).*")
    page = enter(new_page(guarded.url), guarded.operator)
    site.pages["/"] = "<h1>evil</h1>"
    page.goto(f"{getattr(site, kind)}/")
    paths = ["/dashboard", f"/dashboard/tasks/{things['task_id']}", "/openapi.json", "/tasks"]
    assert page.evaluate(_READ, [f"{guarded.url}{path}" for path in paths]) == []
    assert page.evaluate(_LISTEN, f"{guarded.url}/stats/events") is None
    with page.context.expect_page() as opened:
        page.evaluate("(url) => { globalThis.victim = open(url); }", f"{guarded.url}/dashboard")
    opened.value.wait_for_load_state()
    reads = "() => { try { return victim.document.title; } catch { return null; } }"
    assert page.evaluate(reads) is None


@pytest.mark.parametrize("kind", ["same_site", "cross_site"])
def test_another_origin_frames_nothing(
    new_page: NewPage, guarded: Guarded, watch: PageWatch, site: OtherSite, kind: str
) -> None:
    watch.allow("request to another origin", "frame-ancestors", "ERR_BLOCKED_BY_RESPONSE")
    page = enter(new_page(guarded.url), guarded.operator)
    for path in ("/dashboard", "/dashboard/keys", "/dashboard/sign-in"):
        site.pages["/"] = f'<iframe src="{guarded.url}{path}"></iframe>'
        page.goto(f"{getattr(site, kind)}/")
        frame = page.frame_locator("iframe")
        expect(frame.locator("body")).to_be_attached()
        expect(frame.get_by_text("taskq")).to_have_count(0)


def test_a_link_of_another_site_leads_to_the_page(
    new_page: NewPage, guarded: Guarded, watch: PageWatch, site: OtherSite, things: dict[str, str]
) -> None:
    watch.allow("request to another origin")
    page = enter(new_page(guarded.url), guarded.operator)
    address = f"{guarded.url}/dashboard/tasks/{things['task_id']}"
    site.pages["/"] = f'<a href="{address}">look at this</a>'
    page.goto(f"{site.cross_site}/")
    page.get_by_role("link", name="look at this").click()
    expect(page.locator("#task-id")).to_have_text(things["task_id"])


def test_a_sign_in_leads_to_no_other_site(new_page: NewPage, guarded: Guarded) -> None:
    for next_ in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil"):
        page = new_page(guarded.url)
        enter(page, guarded.operator, f"/dashboard/sign-in?next={next_}")
        expect(page).to_have_url(f"{guarded.url}/dashboard")


def test_ids_of_another_namespace_lead_nowhere(
    new_page: NewPage, guarded: Guarded, watch: PageWatch, things: dict[str, str]
) -> None:
    watch.allow("status of 404")
    _, key = guarded.make_key("stranger", namespace=OTHER)
    page = enter(new_page(guarded.url), key)
    task = f"/dashboard/tasks/{things['task_id']}"
    for path in (
        *(task, f"{task}/edit", f"{task}/parts", f"{task}/payload.json", f"{task}/progress"),
        f"/dashboard/bulk/{things['operation_id']}",
        "/dashboard/schedules/aim",
        f"/dashboard/submit/taskq.echo?from={things['task_id']}",
    ):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 404, path
        expect(page.locator("h1")).to_be_visible()
        assert "86400" not in page.content()
    page.goto("/dashboard/tasks?queue=aim")
    expect(page.locator("tbody tr")).to_have_count(0)
    posted = page.evaluate(
        "async (path) => (await fetch(path, { method: 'POST' })).status", f"{task}/cancel"
    )
    assert posted == 404
    assert guarded.ask("GET", f"/tasks/{things['task_id']}")["status"] == "queued"


LIVE = ("", "/tasks", "/tasks/{task_id}", "/workers")


def live_pages(page: Page, things: dict[str, str]) -> list[Page]:
    """Tabs with pages that follow the work."""
    tabs = [page.context.new_page() for _ in LIVE]
    for tab, path in zip(tabs, LIVE, strict=True):
        tab.goto(f"/dashboard{path.format(**things)}")
    for tab in tabs:
        tab.wait_for_load_state("load")
    return tabs


@pytest.mark.parametrize("end", ["sign-out", "revoked key"])
def test_who_has_left_sees_nothing_more_in_other_tabs(
    new_page: NewPage, guarded: Guarded, watch: PageWatch, things: dict[str, str], end: str
) -> None:
    watch.allow("status of 401|sse:error")
    key_id, key = guarded.make_key("leaves")
    page = enter(new_page(guarded.url), key)
    tabs = live_pages(page, things)
    page.wait_for_timeout(6_000)  # a page that was just opened does not lead away
    if end == "sign-out":
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{guarded.url}/dashboard/sign-in")
    else:
        guarded.ask("POST", f"/keys/{key_id}/revoke")
    for tab in tabs:
        expect(tab).to_have_url(re.compile("/dashboard/sign-in"))
        expect(tab.get_by_text(things["task_id"])).to_have_count(0)

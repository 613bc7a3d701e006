"""Sign in, choose a namespace and sign out as people do, and as other sites would like them to."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser import Look
from tests.support.browser_fixtures import NewPage
from tests.support.other_site import other_site
from tests.support.page_watch import PageWatch
from tests.support.stack import NewStack, Stack

QUEUES = "/dashboard/queues"
COOKIE = "taskq-session"
WRONG = "tq_AAAAAAAAAAAA_" + "A" * 43
SCOPES = ("tasks:read", "tasks:write", "tasks:operate", "admin")


@pytest.fixture(scope="module")
def closed(new_module_stack: NewStack) -> Stack:
    """A taskq that asks for keys."""
    stack = new_module_stack("sqlite")
    make_key(stack, "default")
    stack.command("namespaces", "create", "other")
    return stack


def make_key(stack: Stack, namespace: str) -> str:
    words = [word for scope in SCOPES for word in ("--scope", scope)]
    printed = stack.command("keys", "create", "person", "--namespace", namespace, *words)
    return printed.split()[-1]


def cookies(context: BrowserContext) -> dict[str, str]:
    return {each["name"]: each["value"] for each in context.cookies()}


def sign_in(page: Page, key: str) -> None:
    page.goto(QUEUES)
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{QUEUES}")


@pytest.mark.parametrize("look", [Look(), Look(scripts=False)], ids=["", "without scripts"])
def test_in_and_out(new_page: NewPage, closed: Stack, watch: PageWatch) -> None:
    watch.allow("status of 401")
    page = new_page(closed.api_url)
    page.goto(f"{QUEUES}?")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(WRONG)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This key opens nothing")
    expect(page.get_by_label("API key")).to_have_value("")
    page.get_by_label("API key").fill(make_key(closed, "default"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    (kept,) = page.context.cookies()
    assert (kept["name"], kept["httpOnly"], kept["secure"]) == (COOKIE, True, False)
    assert (kept["sameSite"], kept["path"], kept["domain"]) == ("Lax", "/", "127.0.0.1")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert not page.context.cookies()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("heading", name="Queues")).to_have_count(0)


def test_scripts_do_not_see_the_session(new_page: NewPage, closed: Stack) -> None:
    page = new_page(closed.api_url)
    sign_in(page, make_key(closed, "default"))
    assert page.evaluate("document.cookie") == ""
    assert page.request.get("/tasks").status == 401
    assert page.request.get("/docs").status == 200


def test_an_operator_chooses_a_namespace(new_page: NewPage, closed: Stack) -> None:
    page = new_page(closed.api_url)
    sign_in(page, make_key(closed, "*"))
    before = cookies(page.context)
    page.get_by_role("link", name="Change").click()
    page.get_by_role("button", name="Show other").click()
    page.wait_for_url("**/dashboard")
    expect(page.locator(".who")).to_contain_text("other")
    assert cookies(page.context).keys() == before.keys()
    assert cookies(page.context) != before


@pytest.fixture
def other(closed: Stack) -> Iterator[str]:
    """A site with a page for each thing that it tries on visitors who have signed in."""
    at = closed.api_url
    pause = f'<form method="post" action="{at}{QUEUES}/default/pause"><button>x</button></form>'
    pages = {
        "/form": pause,
        "/text": pause.replace("<form ", '<form enctype="text/plain" '),
        "/frame": f'<iframe src="{at}{QUEUES}" name="it"></iframe>',
        "/link": f'<a href="{at}{QUEUES}">x</a>',
        "/fetch": f"""<p id="said"></p><script>
            const tell = (text) => {{ document.getElementById("said").textContent += text + " " }};
            const ask = (path, more) => fetch("{at}" + path, {{credentials: "include", ...more}})
                .then((answer) => tell("answered:" + answer.type), () => tell("refused"));
            const post = {{method: "POST", mode: "no-cors"}};
            ask("{QUEUES}").then(() => ask("/dashboard/queues/default/pause", post))
                .then(() => ask("/queues/default/pause", post)).then(() => tell("done"));
            </script>""",
    }
    with other_site() as site:
        site.pages.update(pages)
        yield site.same_site


def test_no_other_site_changes_or_reads_anything(
    new_page: NewPage, closed: Stack, other: str, watch: PageWatch
) -> None:
    watch.allow("request to another origin", "status of 421", "status of 401", "blocked by CORS")
    watch.allow("frame-ancestors", "request failed", "ERR_FAILED")
    watch.tolerate("favicon")
    page = new_page(closed.api_url)
    sign_in(page, make_key(closed, "default"))
    for path in ("/form", "/text"):
        page.goto(other + path)
        page.get_by_role("button").click()
        expect(page.get_by_text("misdirected-request")).to_be_visible()
    page.goto(f"{other}/fetch")
    expect(page.locator("#said")).to_contain_text("done")
    expect(page.locator("#said")).to_have_text("refused answered:opaque answered:opaque done ")
    page.goto(f"{other}/frame")
    expect(page.frame_locator("iframe").get_by_role("heading", name="Queues")).to_have_count(0)
    page.goto(f"{other}/link")
    page.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    expect(page.get_by_text("paused")).to_have_count(0)


def test_a_form_is_not_lost_with_the_session(
    new_page: NewPage, closed: Stack, watch: PageWatch
) -> None:
    watch.allow("status of 401")
    key = make_key(closed, "default")
    page = new_page(closed.api_url)
    sign_in(page, key)
    page.goto("/dashboard/keys")
    page.get_by_text("Make a key").first.click()
    page.get_by_label("Name").fill("typed with care")
    page.get_by_label("tasks:read").check()
    out = page.context.request.post(
        "/dashboard/sign-out", headers={"Sec-Fetch-Site": "same-origin"}, max_redirects=0
    )
    assert out.status == 303
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_role("heading", name="Unauthenticated")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in again").click()
    other = opened.value
    other.get_by_label("API key").fill(key)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("heading", name="Overview")).to_be_visible()
    other.close()
    page.reload()
    expect(page.get_by_role("heading", name="typed with care")).to_be_visible()

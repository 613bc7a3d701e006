"""Each button that changes something is pressed once, and the API says what it did."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser_fixtures import NewPage
from tests.support.guarded import OTHER, Guarded, enter
from tests.support.looking import unfold
from tests.support.page_watch import PageWatch
from tests.support.waiting import wait_until

LATER = {"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 86_400}


@pytest.fixture
def operator(new_page: NewPage, guarded: Guarded) -> Page:
    """A page of somebody who may do all."""
    return enter(new_page(guarded.url), guarded.operator)


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


def press_and_confirm(page: Page, name: str) -> None:
    """Press a button that asks first: say no in both ways, then yes."""
    pressed, asking = button(page.get_by_role("main"), name), page.get_by_role("dialog")
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.method))
    pressed.click()
    button(asking, "Back").click()
    expect(asking).to_have_count(0)
    pressed.click()
    expect(asking).to_be_visible()
    page.keyboard.press("Escape")
    expect(asking).to_have_count(0)
    expect(pressed).to_be_focused()
    assert "POST" not in requested
    pressed.click()
    button(asking, "Yes").click()


def queue_of(guarded: Guarded, name: str) -> Any:
    return next(each for each in guarded.ask("GET", "/queues")["items"] if each["name"] == name)


def submit(guarded: Guarded, *tasks: dict[str, Any]) -> list[str]:
    made = guarded.ask("POST", "/tasks/batch", {"items": tasks})
    return [each["id"] for each in made["items"]]


def statuses(guarded: Guarded, *ids: str) -> list[str]:
    return [guarded.ask("GET", f"/tasks/{each}")["status"] for each in ids]


def test_signing_in_leads_on_and_signing_out_ends_it(
    new_page: NewPage, guarded: Guarded, watch: PageWatch
) -> None:
    watch.allow("status of 401")
    page = new_page(guarded.url)
    page.goto("/dashboard/tasks?status=failed&status=retrying")
    page.get_by_label("API key").fill("tq_this_is_none")
    button(page.get_by_role("main"), "Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key opens nothing")
    page.get_by_label("API key").fill(guarded.operator)
    page.get_by_label("API key").press("Enter")
    expect(page).to_have_url(f"{guarded.url}/dashboard/tasks?status=failed&status=retrying")
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (
        "taskq-session",
        True,
        "Lax",
    )
    assert page.evaluate("document.cookie") == ""
    button(page, "Sign out").click()
    expect(page).to_have_url(f"{guarded.url}/dashboard/sign-in")
    assert page.context.cookies() == []
    page.goto("/dashboard/tasks")
    expect(page.get_by_label("API key")).to_be_focused()


def test_a_queue_is_paused_with_a_note_and_goes_on(operator: Page, guarded: Guarded) -> None:
    submit(guarded, {**LATER, "queue": "paper"})
    operator.goto("/dashboard/queues")
    row = operator.get_by_role("row", name="paper")
    row.locator("summary").click()
    row.get_by_label("Note").fill("the printer <b>burns</b>")
    button(row, "Pause").click()
    expect(operator.get_by_role("status")).to_have_text("Queue paper is paused.")
    expect(row).to_contain_text("the printer <b>burns</b>")
    assert queue_of(guarded, "paper")["note"] == "the printer <b>burns</b>"
    assert queue_of(guarded, "paper")["paused_at"]
    button(row, "Resume").click()
    expect(operator.get_by_role("status")).to_have_text("Queue paper goes on.")
    assert queue_of(guarded, "paper")["paused_at"] is None


def test_a_schedule_from_its_first_to_its_last_day(operator: Page, guarded: Guarded) -> None:
    def schedule() -> Any:
        return guarded.ask("GET", "/schedules/reports")

    page, said = operator, operator.get_by_role("main").get_by_role("status")
    page.goto("/dashboard/schedules")
    page.get_by_role("button", name="New schedule").click()
    page.get_by_label("Name").fill("reports")
    times = page.locator("#times li")
    page.get_by_label("Cron").press_sequentially("30 4 * * *")
    expect(times).to_have_count(10)  # of whoever still writes
    page.get_by_label("Cron").press_sequentially(" *")
    expect(page.locator("#times .problem")).to_be_visible()
    page.get_by_label("Cron").fill("0 12 * * 1")
    expect(times.first).to_contain_text("12:00")
    page.get_by_label("Handler").fill("taskq.echo")
    page.get_by_label("Payload (JSON)").fill('{"value": "weekly"}')
    button(page, "Make the schedule").click()
    expect(page.locator("h1")).to_have_text("reports")
    assert schedule()["cron"] == "0 12 * * 1"
    page.locator("summary", has_text="Change").click()
    page.get_by_label("Cron").fill("15 3 * * *")
    button(page.get_by_role("main"), "Change").click()
    expect(said).to_be_visible()
    assert schedule()["cron"] == "15 3 * * *"
    page.locator("summary", has_text="Pause").click()
    page.locator(".actions").get_by_label("Note").fill("on holiday")
    button(page, "Pause").click()
    button(page, "Resume").wait_for()
    assert schedule()["paused_at"]
    assert schedule()["note"] == "on holiday"
    button(page, "Resume").click()
    expect(button(page, "Resume")).to_have_count(0)
    assert schedule()["paused_at"] is None
    press_and_confirm(page, "Fire now")
    expect(page).to_have_url(re.compile("/dashboard/tasks/"))
    assert schedule()["fired"] == 1
    assert page.url.endswith(schedule()["last_task_id"])
    page.goto("/dashboard/schedules/reports")
    press_and_confirm(page, "Delete")
    expect(page).to_have_url(f"{guarded.url}/dashboard/schedules")
    left = guarded.ask("GET", "/schedules")["items"]
    assert "reports" not in [each["name"] for each in left]


def test_a_key_from_its_first_to_its_last_day(operator: Page, guarded: Guarded) -> None:
    page = operator
    page.goto("/dashboard/keys?namespace=empty")
    expect(page.get_by_text("There is no key in this namespace.")).to_be_visible()
    expect(page.get_by_text("may do everything")).to_have_count(0)  # for there is an operator's
    page.goto("/dashboard/keys")
    unfold(page)
    page.get_by_label("Name", exact=True).fill("robot")
    page.get_by_label("tasks:read").check()
    page.get_by_label("Ends after days").fill("7")
    button(page, "Make a key").click()
    first = page.locator(".secret").inner_text()
    assert guarded.opens(first)
    page.get_by_role("main").get_by_role("link", name="Keys").click()
    row = page.get_by_role("row", name="robot")
    row.locator("summary").click()
    row.get_by_label("The secret before opens for").select_option("no longer")
    button(row, "New secret").click()
    second = page.locator(".secret").inner_text()
    assert second != first
    wait_until(lambda: not guarded.opens(first), 10, "the first secret opens nothing")
    assert guarded.opens(second)
    page.goto("/dashboard/keys")
    button(row, "Revoke").click()
    button(page.get_by_role("dialog"), "Back").click()
    assert guarded.opens(second)
    button(row, "Revoke").click()
    button(page.get_by_role("dialog"), "Yes").click()
    expect(page.get_by_role("status")).to_contain_text("The key is revoked")
    wait_until(lambda: not guarded.opens(second), 10, "the second secret opens nothing")
    page.goto("/dashboard/keys")
    expect(row).to_contain_text("revoked")
    expect(row.get_by_role("button")).to_have_count(0)
    page.get_by_role("link", name="Keys of operators").click()
    expect(page.get_by_role("row", name="operator")).to_be_visible()


def test_a_task_from_its_first_to_its_last_day(operator: Page, guarded: Guarded) -> None:
    def task() -> Any:
        return guarded.ask("GET", f"/tasks/{made}")

    page = operator
    (made,) = submit(guarded, LATER)
    page.goto(f"/dashboard/tasks/{made}")
    button(page, "Edit").or_(page.get_by_role("link", name="Edit")).click()
    page.get_by_label("Title").fill("mine")
    page.get_by_label("Tags").fill("a\nb")
    page.get_by_label("Priority").select_option("high")
    button(page, "Save").click()
    expect(page.locator("h1")).to_contain_text("mine")
    assert (task()["title"], task()["tags"], task()["priority"]) == ("mine", ["a", "b"], "high")
    button(page, "Cancel").click()
    expect(page.locator("h1")).to_contain_text("cancelled")
    assert task()["status"] == "cancelled"
    button(page, "Retry").click()
    expect(page.locator("h1")).to_contain_text("succeeded")
    assert task()["result"] == 1
    page.get_by_role("button", name="Submit again").click()
    page.get_by_role("textbox", name="Value").fill('"again"')
    button(page.get_by_role("main"), "Submit").click()
    expect(page).not_to_have_url(re.compile(f"{made}|submit"))
    again = guarded.ask("GET", f"/tasks/{page.url.rpartition('/')[2]}")
    assert (again["payload"], again["title"]) == ({"value": "again"}, "mine")
    page.goto(f"/dashboard/tasks/{made}")
    press_and_confirm(page, "Delete")
    expect(page.get_by_text("The task is deleted.")).to_be_visible()
    with guarded.client() as client:
        assert client.get(f"/tasks/{made}").status_code == 404


def test_what_is_selected_is_cancelled_retried_changed_and_deleted(
    operator: Page, guarded: Guarded
) -> None:
    def choose(action: str, *titles: str) -> None:
        page.goto("/dashboard/tasks?tag=chosen")
        for title in titles:
            page.get_by_label(f"Select {title}").check()
        button(page, action).click()
        if action == "Set priority":
            page.get_by_label("New priority").select_option("urgent")
        sure = page.get_by_role("button", name=re.compile(f"^{action}: {len(titles)} task"))
        if sure.count() or action != "Retry":
            sure.click()
        expect(page.get_by_role("status").first).to_contain_text(str(len(titles)))

    page = operator
    tasks = [{**LATER, "title": title, "tags": ["chosen"]} for title in ("one", "two", "three")]
    one, two, three = submit(guarded, *tasks)
    choose("Cancel", "one", "two")
    assert statuses(guarded, one, two, three) == ["cancelled", "cancelled", "queued"]
    choose("Set priority", "three")
    assert guarded.ask("GET", f"/tasks/{three}")["priority"] == "urgent"
    choose("Retry", "two")
    wait_until(lambda: statuses(guarded, two) == ["succeeded"], 60, "it ran")
    choose("Delete", "one", "two")
    left = guarded.ask("GET", "/tasks?tag=chosen")["items"]
    assert [each["id"] for each in left] == [three]


def test_all_that_match_are_changed_cancelled_and_deleted(operator: Page, guarded: Guarded) -> None:
    page = operator
    ids = submit(guarded, *[{**LATER, "tags": ["all"]}] * 30, {**LATER, "tags": ["not"]})
    for action in ("Set priority", "Cancel", "Delete"):
        page.goto("/dashboard/tasks?tag=all")
        button(page, f"{action} all that match").click()
        page.get_by_role("link", name="Back").click()
        button(page, f"{action} all that match").click()
        if action == "Set priority":
            page.get_by_label("New priority").select_option("low")
        button(page, f"{action}: 30 tasks").click()
        expect(page.locator("#progress")).to_contain_text("succeeded")
        if action == "Set priority":
            assert guarded.ask("GET", f"/tasks/{ids[7]}")["priority"] == "low"
        elif action == "Cancel":
            assert set(statuses(guarded, *ids[:30])) == {"cancelled"}
    assert guarded.ask("GET", "/tasks?tag=all")["items"] == []
    assert statuses(guarded, ids[30]) == ["queued"]


def test_the_language_stays_chosen_and_the_page_the_same(operator: Page, guarded: Guarded) -> None:
    there = f"{guarded.url}/dashboard/tasks?tag=a%26b&status=failed"
    operator.goto(there)
    button(operator, "中文").click()
    expect(operator.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(operator).to_have_url(there)
    operator.goto("/dashboard/queues")
    expect(operator.locator("h1")).to_have_text("队列")
    button(operator, "English").click()
    expect(operator.locator("h1")).to_have_text("Queues")


def test_an_operator_sees_another_namespace(operator: Page, guarded: Guarded) -> None:
    submit(guarded, {**LATER, "title": "of default", "tags": ["world"]})
    guarded.ask(
        "POST", "/tasks", {**LATER, "title": "of other", "tags": ["world"]}, namespace=OTHER
    )
    titles = operator.locator("tbody th a")
    operator.goto("/dashboard/tasks?tag=world")
    expect(titles).to_have_text(["of default"])
    operator.get_by_role("link", name="Change").click()
    button(operator, f"Show {OTHER}").click()
    expect(operator.locator(".who strong")).to_have_text(OTHER)
    operator.goto("/dashboard/tasks?tag=world")
    expect(titles).to_have_text(["of other"])

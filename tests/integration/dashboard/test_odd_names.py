"""Names that look like paths: buttons and links lead where they say, whatever browsers shorten."""

import re
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from taskq_server.runtime import Runtime
from tests.integration.dashboard.browsing import FROM_PAGE, actions_of
from tests.integration.dashboard.published import Form, links, publish
from tests.integration.dashboard.tasks import at, submitted

ODD = ["x/../default", "x/../../keys", "x/./y", "x//y", "x/.."]


def as_browsers_read(address: str) -> str:
    """Return the path that a browser asks for, without the steps that lead up."""
    return urlsplit(urljoin("http://taskq/dashboard/queues", address)).path


@pytest.mark.parametrize("name", ODD)
async def test_a_queue_is_paused_and_no_other(
    api: httpx.AsyncClient, runtime: Runtime, name: str
) -> None:
    await publish(runtime, "taskq.echo", "{}")
    await submitted(api, queue=name)
    [pause] = actions_of(await api.get("/dashboard/queues"))
    await api.post(urljoin("http://taskq/dashboard/", pause), headers=FROM_PAGE)
    queues = (await api.get("/queues")).json()["items"]
    assert [each["name"] for each in queues if each["paused_at"]] == [name]
    [resume] = actions_of(await api.get("/dashboard/queues"))
    assert as_browsers_read(resume) == resume


@pytest.mark.parametrize("name", ODD)
async def test_a_form_submits_to_its_handler(
    api: httpx.AsyncClient, runtime: Runtime, name: str
) -> None:
    await publish(runtime, name, "{}")
    for page in ("/dashboard/submit", "/dashboard/handlers"):
        [link] = [each for each in links((await api.get(page)).text) if "/submit/" in each]
        form = await api.get(as_browsers_read(link))
        assert form.status_code == 200, link
    [action] = [each for each in actions_of(form) if "/submit/" in each]
    answer = await api.post(
        as_browsers_read(action), data=Form(form.text).sent(), headers=FROM_PAGE
    )
    task = await api.get(answer.headers["location"])
    [again] = [each for each in links(task.text) if "from=" in each]
    assert as_browsers_read(again) == again.partition("?")[0]
    assert (await api.get(again)).status_code == 200


async def test_a_name_with_slashes_stays_readable(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await publish(runtime, "team/shop:order.v1", "{}")
    task_id = await submitted(api, handler="team/shop:order.v1")
    page = await api.get(at(task_id))
    assert re.search(r'href="/dashboard/submit/team/shop:order\.v1\?from=', page.text)

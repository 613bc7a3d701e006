"""Characters that hide or turn other text are shown as their codes wherever errors or data are."""

import httpx

from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.dashboard.browsing import text_of
from tests.integration.dashboard.tasks import BIDI, assert_harmless, submitted

HIDDEN = f"no luck {BIDI}\x1b[31m <img src=x>"
READ = r"no luck \u202e\u001b[31m <img src=x>"


async def test_failures_on_the_overview(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    task = await worker.claim(await submitted(api))
    await worker.fail(task, fatal=True, type=f"Odd{BIDI}Error", message=HIDDEN)
    for path in ("/dashboard", "/dashboard/overview/now", "/dashboard/overview/failures"):
        page = await api.get(path)
        assert_harmless(page)
        assert r"Odd\u202eError" in text_of(page)
    assert READ in text_of(page)


async def test_the_payload_of_a_schedule(api: httpx.AsyncClient, worker: ScriptedWorker) -> None:
    task = {"handler": "taskq.echo", "payload": {"value": HIDDEN}}
    made = await api.put("/schedules/odd", json={"cron": "0 1 * * *", "task": task})
    assert made.status_code == 201
    shown = (await api.get("/dashboard/schedules/odd")).text.partition("<pre")[2]
    assert BIDI not in shown.partition("</pre>")[0]
    assert r"no luck \u202e" in shown.partition("</pre>")[0]

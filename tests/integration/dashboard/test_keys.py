"""The page of keys."""

import re

import pytest

from taskq_server.runtime import Runtime
from tests.integration.dashboard.browsing import actions_of, browsing, text_of

SECRET = re.compile(r"tq_[0-9A-Za-z]{12}_[0-9A-Za-z_-]+")


async def test_a_key_is_made_and_shown_once(runtime: Runtime) -> None:
    async with browsing(runtime) as client:
        empty = await client.get("/dashboard/keys")
        assert "There is no key." in text_of(empty)
        body = {
            "name": "<i>mail</i>",
            "scopes": ["tasks:read", "tasks:write"],
            "run": "mail.* reports.build",
            "expires_days": "30",
            "rate_limit": "600/minute",
        }
        page = await client.post("/dashboard/keys", data=body)
        assert page.status_code == 201
        assert page.headers["cache-control"] == "no-store"
        (key,) = set(SECRET.findall(page.text))
        self = (await client.get("/keys")).json()["items"][0]
        assert self["scopes"] == [
            *("tasks:read", "tasks:write", "tasks:run:mail.*", "tasks:run:reports.build")
        ]
        assert self["rate_limit"] == "600/minute"
        assert self["expires_at"] is not None
        assert key.split("_")[1] == self["id"]
        listed = await client.get("/dashboard/keys")
        assert not SECRET.search(listed.text)
        assert "<i>mail</i>" in text_of(listed)
        assert "<i>mail" not in listed.text


async def test_it_gets_a_new_secret_and_is_revoked(runtime: Runtime) -> None:
    async with browsing(runtime) as client:
        made = await client.post("/dashboard/keys", data={"name": "a", "scopes": "tasks:read"})
        (first,) = set(SECRET.findall(made.text))
        at = f"/dashboard/keys/{first.split('_')[1]}"
        rotated = await client.post(f"{at}/rotate", data={"overlap_seconds": "3600"})
        (second,) = set(SECRET.findall(rotated.text))
        assert second != first
        assert (await client.get("/keys")).json()["items"][0]["previous_until"] is not None
        revoked = await client.post(f"{at}/revoke")
        assert "revoked" in text_of(revoked)
        page = await client.get("/dashboard/keys")
        assert "revoked" in text_of(page)
        assert not any(each.startswith(at) for each in actions_of(page))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"run": "no spaces; please"}, "/scopes"),
        ({"expires_days": "0"}, "expires_days"),
        ({"expires_days": "\u0661"}, "expires_days"),
        ({"rate_limit": "many"}, "/rate_limit"),
        ({"namespace": "elsewhere"}, "namespace"),
    ],
)
async def test_a_form_that_is_refused_says_why(
    runtime: Runtime, changes: dict[str, str], said: str
) -> None:
    async with browsing(runtime) as client:
        body = {"name": "kept", "scopes": "tasks:read", **changes}
        answer = await client.post("/dashboard/keys", data=body)
        assert answer.status_code in (403, 422)
        assert said in text_of(answer)
        assert "name" in changes or 'value="kept"' in answer.text
        assert (await client.get("/keys")).json()["items"] == []


async def test_only_admins_see_it(runtime: Runtime) -> None:
    async with browsing(runtime, scopes=("tasks:read", "tasks:operate")) as client:
        assert (await client.get("/dashboard/keys")).status_code == 403
        assert "/dashboard/keys" not in (await client.get("/dashboard/queues")).text
        refused = await client.post("/dashboard/keys", data={"name": "a", "scopes": "admin"})
        assert refused.status_code == 403
    async with browsing(runtime, dashboard="read-only") as reader:
        assert actions_of(await reader.get("/dashboard/keys")) == []
        refused = await reader.post("/dashboard/keys", data={"name": "a", "scopes": "admin"})
        assert refused.status_code == 403
        assert (await reader.get("/keys")).json()["items"] == []

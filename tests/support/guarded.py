"""A taskq that asks for keys, and people who sign in to its dashboard."""

from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Page

from tests.support.stack import Stack

ALL_SCOPES = ("tasks:read", "tasks:write", "tasks:run:*", "tasks:operate", "admin")
OTHER = "other"
"""The namespace beside `default`, whose tasks its worker runs, too."""


@dataclass(frozen=True)
class Guarded:
    """A taskq with a key.

    Attributes:
        stack: It.
        operator: The key that opens all of it.
    """

    stack: Stack
    operator: str

    @property
    def url(self) -> str:
        """Where its API listens."""
        return self.stack.api_url

    def client(self, key: str = "", namespace: str = "default") -> httpx.Client:
        """A client with a key, or with the operator's in one namespace."""
        headers = {"Authorization": f"Bearer {key or self.operator}"}
        if not key:
            headers["Taskq-Namespace"] = namespace
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)

    def ask(self, method: str, path: str, body: Any = None, namespace: str = "default") -> Any:
        """What the API answers an operator."""
        with self.client(namespace=namespace) as client:
            answer = client.request(method, path, json=body)
            assert answer.is_success, answer.text
            return answer.json() if answer.content else None

    def make_key(self, name: str, *scopes: str, namespace: str = "default") -> tuple[str, str]:
        """Make a key; its id and itself."""
        wanted = {"name": name, "scopes": scopes or ALL_SCOPES, "namespace": namespace}
        made = self.ask("POST", "/keys", wanted)
        return made["id"], made["key"]

    def opens(self, key: str) -> bool:
        """Whether a key opens anything."""
        with self.client(key) as client:
            return client.get("/tasks").status_code == 200


def guard(stack: Stack) -> Guarded:
    """Make the first key of a taskq."""
    words = [word for scope in ALL_SCOPES for word in ("--scope", scope)]
    made = stack.command("keys", "create", "operator", "--namespace", "*", *words)
    return Guarded(stack, made.split()[-1])


def enter(page: Page, key: str, path: str = "/dashboard") -> Page:
    """Ask for a page, and sign in with a key on the way."""
    page.goto(path)
    page.get_by_label("API key").fill(key)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()
    return page

"""Plain HTTP to a stack, without the client."""

from typing import Any

import httpx

from tests.support.stack import Stack


def submit(stack: Stack, handler: str, payload: object, **fields: object) -> str:
    """Submit a task; its id."""
    body = {"handler": handler, "payload": payload, **fields}
    answer = httpx.post(f"{stack.api_url}/tasks", json=body, timeout=180)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def get(stack: Stack, task_id: str, wait: int = 0) -> dict[str, Any]:
    """The task, at once or when it is final."""
    answer = httpx.get(f"{stack.api_url}/tasks/{task_id}", params={"wait": wait}, timeout=70)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found

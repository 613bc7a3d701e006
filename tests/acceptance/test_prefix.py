"""The client and its command against a taskq that a proxy serves under a prefix."""

import httpx
import pytest

from taskq_client import NotFound, TaskqClient
from tests.support.stack import Kind, NewStack


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_client_goes_through_the_prefix(new_stack: NewStack, kind: Kind) -> None:
    stack = new_stack(kind, settings={"TASKQ_ROOT_PATH": "/queue"})
    for url in (stack.api_url, f"{stack.api_url}/queue"):
        with TaskqClient(url) as client:
            assert client.run("taskq.echo", {"value": 1}, timeout=30) == 1
            submitted = client.submit_many([{"handler": "taskq.echo", "payload": {"value": 1}}] * 3)
            assert len(list(client.list(limit=2))) >= len(submitted)
            assert [state.status for state in client.stream(submitted[0].id)][-1] == "succeeded"
            client.delete(submitted[0].id)
            with pytest.raises(NotFound):
                client.get(submitted[0].id)


def test_a_proxy_is_trusted_by_its_address(new_stack: NewStack) -> None:
    stack = new_stack("sqlite", settings={"TASKQ_TRUSTED_PROXIES": "127.0.0.1"})
    task = {"handler": "taskq.echo", "payload": {"value": 1}}
    with httpx.Client(base_url=stack.api_url, trust_env=False) as http:
        for prefix in ("/queue", "/other"):
            named = {"X-Forwarded-Prefix": prefix}
            created = http.post("/tasks", json=task, headers=named)
            assert created.headers["location"] == f"{prefix}/tasks/{created.json()['id']}"
        refused = http.post("/tasks", json=task, headers={"X-Forwarded-Prefix": "//evil.example"})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid-header")

"""`HEAD` over real connections: no byte of a body, so that the next answer can be read."""

from contextlib import closing
from http.client import HTTPConnection

from taskq_client import TaskqClient
from tests.support.stack import Stack

_SECONDS = 10


def test_the_head_is_all_that_comes(stack: Stack) -> None:
    with TaskqClient(stack.api_url) as client:
        task = f"/tasks/{client.submit('taskq.echo', {'value': 1}, delay_seconds=3600).id}"
    address = stack.api_url.removeprefix("http://")
    with closing(HTTPConnection(address, timeout=_SECONDS)) as opened:
        for path in (
            *(
                "/livez",
                "/readyz",
                "/stats",
                "/metrics",
                "/workers",
                "/tags",
                "/handlers",
                "/tasks",
                task,
            ),
            *(f"{task}/attempts", f"{task}/events", "/stats/events", "/tasks?x=1", "/nowhere"),
            *("/", "/openapi.json", "/docs", "/redoc", "/docs/assets/swagger-ui.css"),
        ):
            opened.request("HEAD", path)
            head = opened.getresponse()
            assert head.read() == b""
            opened.request("GET", "/livez")
            assert (opened.getresponse().read(), path) == (b'{"status":"ok"}', path)
            if not path.endswith(("/events", "/metrics")):  # the next ones have other numbers
                opened.request("GET", path)
                got = opened.getresponse()
                got.read()
                assert (head.status, head.getheader("content-length")) == (
                    got.status,
                    got.getheader("content-length"),
                )

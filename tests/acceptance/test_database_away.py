"""Without a database nobody knows who may come in, so nobody does."""

import time
from collections.abc import Iterator

import httpx
import pytest

from taskq_server.domain.keys import new_token
from tests.support.keys import KeyStore, shown, wait_until_closed
from tests.support.mariadb import MariaDBServer
from tests.support.ports import free_port
from tests.support.stack import Stack

SECONDS = 1.5
QUICK = {"TASKQ_DATABASE_CONNECT_SECONDS": "0.3"}


@pytest.fixture
def mariadb() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


def test_no_request_is_served_without_a_database(mariadb: MariaDBServer) -> None:
    with Stack("mariadb", mariadb=mariadb, settings=QUICK, workers=0) as stack:
        stack.start_api(port=(late := free_port()))  # knows keys only if it has just asked
        late_url = f"http://127.0.0.1:{late}"
        with httpx.Client(timeout=60, trust_env=False) as client:
            key = KeyStore(stack.database_url).make("tasks:read")
            wait_until_closed(stack.api_url)
            assert client.get(f"{stack.api_url}/docs", headers=shown(key)).status_code == 200
            mariadb.kill()
            killed = time.monotonic()
            while client.get(f"{late_url}/docs").status_code == 200:
                assert time.monotonic() - killed < SECONDS
            for path in ("/docs", "/openapi.json", "/tasks", "/nowhere"):
                stranger = client.get(stack.api_url + path, headers=shown(new_token()))
                assert stranger.status_code == 503, path
                assert client.get(late_url + path).status_code == 503, path
                assert client.get(stack.api_url + path).status_code == 401, path
            while client.get(f"{stack.api_url}/docs", headers=shown(key)).status_code == 200:
                assert time.monotonic() - killed < SECONDS
            for _ in range(5):
                answer = client.get(f"{stack.api_url}/docs", headers=shown(key))
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert client.get(f"{stack.api_url}/livez").status_code == 200
            mariadb.start()
            deadline = time.monotonic() + 30
            while client.get(f"{stack.api_url}/docs", headers=shown(key)).status_code != 200:
                assert time.monotonic() < deadline
            assert client.get(late_url + "/docs").status_code == 401


def test_no_session_opens_and_none_begins_without_a_database(mariadb: MariaDBServer) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    page, sign_in = "/dashboard/queues", "/dashboard/sign-in"
    with Stack("mariadb", mariadb=mariadb, settings=QUICK, workers=0) as stack:
        key = KeyStore(stack.database_url).make("tasks:read")
        wait_until_closed(stack.api_url)
        with httpx.Client(base_url=stack.api_url, timeout=60, trust_env=False) as client:
            form = {"key": key.text}
            assert client.post(sign_in, data=form, headers=own).status_code == 303
            assert client.get(page).status_code == 200
            kept = dict(client.cookies)
            mariadb.kill()
            killed = time.monotonic()
            while client.get("/docs").status_code == 200:
                assert time.monotonic() - killed < SECONDS
            answers = [
                client.get(page),
                client.get("/docs"),
                client.post("/dashboard/sign-out", headers=own),
                client.post("/dashboard/namespace", data={"namespace": "x"}, headers=own),
                client.post(sign_in, data={"key": new_token().text}, headers=own),
            ]
            for answer in answers:
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert dict(client.cookies) == kept
            mariadb.start()
            deadline = time.monotonic() + 60
            while client.get(page).status_code != 200:
                assert time.monotonic() < deadline

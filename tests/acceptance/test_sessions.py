"""A session that ends opens nothing a second later in any API process, Redis or not."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest

from taskq_server.domain.keys import Token
from tests.support.keys import KeyStore, shown, wait_until_closed
from tests.support.ports import free_port
from tests.support.stack import Stack

SECONDS = 1.5
"""The time in which an end has to act."""

OWN = {"Sec-Fetch-Site": "same-origin"}
PAGE = "/dashboard/queues"
SCOPES = ("tasks:read", "tasks:run:*", "admin")


@dataclass(frozen=True)
class Two:
    """Two API processes of one taskq that asks for keys."""

    urls: tuple[str, str]
    stack: Stack
    keys: KeyStore


@pytest.fixture(scope="module")
def two(new_module_stack: Callable[..., Stack]) -> Two:
    stack = new_module_stack("mariadb", workers=0)
    port = free_port()
    stack.start_api(port=port)
    keys = KeyStore(stack.database_url)
    keys.make("admin")
    urls = (stack.api_url, f"http://127.0.0.1:{port}")
    for url in urls:
        wait_until_closed(url)
    return Two(urls, stack, keys)


@contextmanager
def browser(two: Two, key: Token) -> Iterator[httpx.Client]:
    """One that has signed in at the first process; cookies are for all ports of a host."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        form = {"key": key.text}
        url = f"{two.urls[0]}/dashboard/sign-in"
        assert client.post(url, data=form, headers=OWN).status_code == 303
        for each in two.urls:
            assert client.get(each + PAGE).status_code == 200
        yield client


def closed_at(client: httpx.Client, url: str) -> float:
    """Ask for a page until the answer leads to the sign-in; return the time."""
    until = time.monotonic() + 60
    while (status := client.get(url + PAGE).status_code) == 200:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert status == 303
    return time.monotonic()


def assert_ends(two: Two, key: Token, end: Callable[[httpx.Client], None]) -> None:
    with ExitStack() as cleanup:
        client = cleanup.enter_context(browser(two, key))
        others = [
            cleanup.enter_context(httpx.Client(cookies=client.cookies, timeout=60, trust_env=False))
            for _ in two.urls
        ]
        threads = cleanup.enter_context(ThreadPoolExecutor(len(two.urls)))
        ending = [
            threads.submit(closed_at, other, url)
            for other, url in zip(others, two.urls, strict=True)
        ]
        time.sleep(1)  # the session is in use
        assert not any(each.done() for each in ending)
        end(client)
        ended = time.monotonic()
        took = [each.result(60) - ended for each in ending]
    assert max(took) < SECONDS, took


def sign_out(two: Two) -> Callable[[httpx.Client], None]:
    def work(client: httpx.Client) -> None:
        answer = client.post(f"{two.urls[0]}/dashboard/sign-out", headers=OWN)
        assert answer.status_code == 303
        assert not client.cookies

    return work


def revoke_by_api(two: Two, key: Token) -> Callable[[httpx.Client], None]:
    def work(_: httpx.Client) -> None:
        url = f"{two.urls[0]}/keys/{key.id}/revoke"
        admin = shown(two.keys.make("admin"))
        assert httpx.post(url, headers=admin, timeout=60, trust_env=False).is_success

    return work


def revoke_by_command(two: Two, key: Token) -> Callable[[httpx.Client], None]:
    return lambda _: print(two.stack.command("keys", "revoke", key.id))


def expire(two: Two, key: Token) -> Callable[[httpx.Client], None]:
    return lambda _: two.keys.change(key, expires_at=datetime.now(UTC))


WAYS = {
    "sign-out": lambda two, _: sign_out(two),
    "revoked by the API": revoke_by_api,
    "revoked by the command": revoke_by_command,
    "expired": expire,
}


@pytest.mark.parametrize("way", WAYS)
def test_it_acts_within_a_second(two: Two, way: str) -> None:
    key = two.keys.make(*SCOPES)
    assert_ends(two, key, WAYS[way](two, key))


def test_a_session_begins_at_once_in_all_processes(two: Two) -> None:
    for _ in range(10):
        with browser(two, two.keys.make(*SCOPES)):
            pass  # it asks both


def test_so_does_another_namespace(two: Two) -> None:
    two.stack.command("namespaces", "create", "other")
    key = two.keys.make(*SCOPES, namespace="*")
    with browser(two, key) as client:
        for name in ("other", "default") * 5:
            form = {"namespace": name}
            url = f"{two.urls[0]}/dashboard/namespace"
            assert client.post(url, data=form, headers=OWN).status_code == 303
            assert f"<strong>{name}</strong>" in client.get(two.urls[1] + PAGE).text


@pytest.mark.parametrize("way", WAYS)
def test_it_does_without_redis(two: Two, way: str) -> None:
    assert two.stack.redis is not None
    two.stack.redis.kill()
    key = two.keys.make(*SCOPES)
    assert_ends(two, key, WAYS[way](two, key))

"""The counts of real servers, followed: while workers work, servers restart and databases go."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from taskq_client import TaskqClient
from tests.support.keys import KeyStore, shown, wait_until_closed
from tests.support.mariadb import MariaDBServer
from tests.support.stack import Kind, NewStack, Stack

PATIENCE = 60.0
"""Seconds; far beyond what anything here takes."""

Counts = dict[str, Any]


class Viewer:
    """Follows the counts, as a page does: it connects again when the stream ends.

    Attributes:
        seen: when events came, and what they were: the counts, or None for `unavailable`.
        streams: how many it was given.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.seen: list[tuple[float, Counts | None]] = []
        self.streams = 0
        self._leaves = False
        self._client = httpx.Client(
            base_url=url, headers=headers, timeout=PATIENCE, trust_env=False
        )
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        while not self._leaves:
            try:
                with self._client.stream("GET", "/stats/events") as response:
                    self.streams += response.status_code == 200
                    self._read(response.iter_lines())
            except httpx.HTTPError:
                pass
            time.sleep(0.1)

    def _read(self, lines: Iterator[str]) -> None:
        kind = ""
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                self.seen.append((time.monotonic(), json.loads(value) if kind == "stats" else None))
            if self._leaves:
                return

    def until(self, is_there: Callable[[Counts | None], bool], since: int = 0) -> float:
        """Wait for an event, and return when it came; those before `since` do not count."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for at, found in self.seen[since:]:
                if is_there(found):
                    return at
            time.sleep(0.02)
        raise AssertionError(self.seen)

    def leave(self) -> None:
        """Hang up, once another event has come."""
        self._leaves = True

    def close(self) -> None:
        self._thread.join(PATIENCE)
        self._client.close()


@contextmanager
def viewer(stack: Stack, **headers: str) -> Iterator[Viewer]:
    """Look on while the block runs; the API has to be stopped at the end of it."""
    one = Viewer(stack.api_url, headers)
    try:
        yield one
    finally:
        one.leave()
        stack.stop_api()
        one.close()


def has(**tasks: int) -> Callable[[Counts | None], bool]:
    return lambda found: found is not None and found["tasks"].items() >= tasks.items()


def works(number: int) -> Callable[[Counts | None], bool]:
    return lambda found: found is not None and found["workers"] == number


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_what_happens_is_seen_within_two_seconds(new_stack: NewStack, kind: Kind) -> None:
    stack = new_stack(kind)
    with viewer(stack) as page, TaskqClient(stack.api_url) as client:
        page.until(works(1))
        later = client.submit("taskq.echo", {"value": 1}, delay_seconds=3600)
        at = time.monotonic()
        assert page.until(has(queued=1)) - at < 2
        client.update(later, run_at=None)
        client.wait(later)
        at = time.monotonic()
        assert page.until(has(queued=0, succeeded=1)) - at < 2
        assert page.streams == 1


def test_a_worker_that_starts_again_counts(new_stack: NewStack) -> None:
    stack = new_stack("mariadb")
    with viewer(stack) as page:
        page.until(works(1))
        assert stack.stop_worker() == 0
        page.until(works(0))
        since = len(page.seen)
        stack.start_worker()
        page.until(works(1), since)
        assert page.streams == 1


def test_whoever_looks_on_sees_the_truth_after_a_restart(new_stack: NewStack) -> None:
    stack = new_stack("sqlite")
    with viewer(stack) as page, TaskqClient(stack.api_url) as client:
        page.until(works(1))
        began = time.monotonic()
        assert stack.stop_api() == 0
        assert time.monotonic() - began < 5, "the open stream has held it up"
        since = len(page.seen)
        stack.start_api()
        page.until(has(succeeded=0), since)
        client.run("taskq.echo", {"value": 1})
        page.until(has(succeeded=1), since)
        assert page.streams >= 2


@pytest.mark.parametrize("has_keys", [False, True], ids=["open", "with a key"])
def test_a_stream_outlives_an_outage_of_the_database(has_keys: bool) -> None:
    with (
        MariaDBServer() as mariadb,
        Stack("mariadb", mariadb=mariadb, workers=0) as stack,
    ):
        headers: dict[str, str] = {}
        if has_keys:
            headers = shown(KeyStore(stack.database_url).make("tasks:read"))
            wait_until_closed(stack.api_url)
        with viewer(stack, **headers) as page:
            page.until(has(queued=0))
            mariadb.kill()
            page.until(lambda found: found is None)
            away = len(page.seen)
            time.sleep(3)
            assert len(page.seen) == away, "it is told once"
            mariadb.start()
            page.until(has(queued=0), away)
            assert page.streams == 1

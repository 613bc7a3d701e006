"""API processes that are killed while they answer, and keys that are sent again."""

import json
import random
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tests.faults.evidence import Submit
from tests.faults.ledger import Ledger
from tests.faults.load import Body
from tests.support.calls import repeats
from tests.support.processes import ApiProcess, ServerProcess
from tests.support.waiting import wait_until

KILLS = repeats(6, 30)
BURST = 60
BATCH = 200
RACES = repeats(40, 300)


@pytest.mark.timeout(repeats(180, 600))
def test_api_killed_in_a_burst_and_all_keys_sent_again(ledger: Ledger) -> None:
    """Each kill cuts off a burst of submits, some before their commit and some after it."""
    chance = random.Random(1)
    committed = []
    for _ in range(KILLS):
        burst = [ledger.callers.new("faults.noop") for _ in range(BURST)]
        api = ledger.stack.apis[0]
        with ExitStack() as connections:
            sent = [connections.enter_context(_sent(api, ledger, one)) for one in burst]
            _until_readable(sent, chance.randrange(1, BURST // 2))
            _kill(ledger, api)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: ledger.callers.send(one, ledger.callers.body(one)), burst))
        committed.append(sum(one.answers == [200] for one in burst))
        ledger.heal()
    evidence = ledger.settle(f"{KILLS} SIGKILL of an API in a burst", committed_before=committed)
    assert evidence.extra_runs() == 0
    assert all(committed)


@pytest.mark.timeout(120)
def test_api_killed_after_the_commit_and_before_the_answer(ledger: Ledger) -> None:
    """The caller never reads the answer; the same key gives the task that was stored."""
    for _ in range(repeats(3, 10)):
        submit = ledger.callers.new("faults.noop")
        api = ledger.stack.apis[0]
        with _sent(api, ledger, submit):
            wait_until(partial(_is_stored, ledger, submit), 10, "it is stored")
            _kill(ledger, api)
        stored = _stored(ledger, submit)
        assert ledger.callers.send(submit, ledger.callers.body(submit)).task_id == stored
        assert submit.answers == [200]
        ledger.heal()
    evidence = ledger.settle("API killed after the commit, before the answer")
    assert evidence.extra_runs() == 0


@pytest.mark.timeout(120)
def test_api_killed_in_a_batch_and_its_key_sent_again(ledger: Ledger) -> None:
    """The whole list is stored once, or not at all before the second try."""
    for number in range(repeats(3, 10)):
        batch = [ledger.callers.new("faults.noop") for _ in range(BATCH)]
        body = {"items": [ledger.callers.body(one) for one in batch]}
        key = f"{ledger.prefix}-batch-{number}"
        api = ledger.stack.apis[0]
        with _posted(api, "/tasks/batch", body, key):
            wait_until(partial(_is_stored, ledger, batch[0]), 10, "it is stored", 0.0)
            _kill(ledger, api)
        url = f"{ledger.callers.urls()[0]}/tasks/batch"
        again = ledger.callers.http.post(url, json=body, headers={"Idempotency-Key": key})
        for one, item in zip(batch, again.raise_for_status().json()["items"], strict=True):
            ledger.callers.accept(one, again.status_code, item["id"])
        ledger.heal()
    evidence = ledger.settle("API killed in a batch")
    assert evidence.extra_runs() == 0


@pytest.mark.timeout(120)
def test_api_killed_before_the_commit(ledger: Ledger) -> None:
    """The API dies while its INSERT waits for a lock; the same key is a new task, and only one."""
    for _ in range(repeats(3, 10)):
        submit = ledger.callers.new("faults.noop")
        api = ledger.stack.apis[0]
        with ThreadPoolExecutor(1) as pool:
            lock = pool.submit(ledger.reader.sql, "LOCK TABLES tasks READ; DO SLEEP(1.5)")
            wait_until(lambda: _waiting_for(ledger, "SLEEP"), 10, "the table is locked")
            with _sent(api, ledger, submit):
                wait_until(lambda: _waiting_for(ledger, "INSERT INTO tasks"), 10, "it waits")
                _kill(ledger, api)
            lock.result()
        assert ledger.callers.send(submit, ledger.callers.body(submit)).answers[-1] in (200, 201)
        ledger.heal()
    evidence = ledger.settle("API killed before the commit")
    assert evidence.extra_runs() == 0


@pytest.mark.timeout(60)
def test_one_key_sent_to_two_apis_at_once_is_one_task(ledger: Ledger) -> None:
    created = 0
    with ThreadPoolExecutor(4) as pool:
        for _ in range(RACES):
            submit = ledger.callers.new("faults.noop")
            body = ledger.callers.body(submit)
            urls = [*ledger.callers.urls(), *ledger.callers.urls()]
            tries = [pool.submit(ledger.callers.send_once, url, submit, body) for url in urls]
            assert all(one.result() for one in tries)
            created += submit.answers.count(201)
            assert sorted(submit.answers) == [200, 200, 200, 201]
    evidence = ledger.settle("one key sent 4 times at once", keys=RACES, created=created)
    assert evidence.extra_runs() == 0


@contextmanager
def _sent(api: ServerProcess, ledger: Ledger, submit: Submit) -> Iterator[socket.socket]:
    """Send a submit on a connection whose answer nobody reads."""
    with _posted(api, "/tasks", ledger.callers.body(submit), submit.key) as connection:
        yield connection
    submit.broken += 1


@contextmanager
def _posted(api: ServerProcess, path: str, content: Body, key: str) -> Iterator[socket.socket]:
    assert isinstance(api, ApiProcess)
    body = json.dumps(content)
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{api.port}",
        "Content-Type: application/json",
        f"Idempotency-Key: {key}",
        f"Content-Length: {len(body)}",
    ]
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        yield connection


def _until_readable(connections: list[socket.socket], count: int) -> None:
    """Wait until so many connections have an answer, which nobody reads."""
    wait_until(
        lambda: len(select.select(connections, [], [], 0.5)[0]) >= count,
        10,
        f"{count} answers",
        0.0,
    )


def _kill(ledger: Ledger, api: ServerProcess) -> None:
    ledger.stack.apis.remove(api)
    api.kill()


def _stored(ledger: Ledger, submit: Submit) -> str | None:
    found = ledger.reader.sql(f"SELECT id FROM tasks WHERE title = '{submit.key}'")
    return found[0][0] if found else None


def _is_stored(ledger: Ledger, submit: Submit) -> bool:
    return _stored(ledger, submit) is not None


def _waiting_for(ledger: Ledger, words: str) -> bool:
    return (
        ledger.reader.number(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
            f"AND db = DATABASE() AND info LIKE '%{words}%'"
        )
        > 0
    )

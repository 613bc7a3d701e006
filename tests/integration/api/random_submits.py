"""Random requests to `POST /tasks`, in order and not, drawn from a seed."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.integration.api.test_submit import ECHO

GOOD = json.dumps(ECHO).encode()
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Part:
    """One part of a request.

    Attributes:
        value: a body, headers, or a query.
        ordinary: the fast path takes a request of ordinary parts only; None: it may.
    """

    value: Any
    ordinary: bool | None = True


@dataclass(frozen=True)
class Submit:
    """A request; `{way}` in a key stands for the way it goes, which has keys of its own."""

    body: bytes
    headers: Sequence[Header]
    query: str
    is_chunked: bool
    is_ordinary: bool | None

    def headers_of(self, way: bytes) -> list[Header]:
        """The headers when it goes this way: one letter."""
        return [(name, value.replace(b"{way}", way)) for name, value in self.headers]


def fields(random: Random) -> dict[str, Any]:
    """A task in order, with some of all that can be said."""
    given: dict[str, Any] = {
        "title": random.choice([None, "October", "Größe 漢字 😀", "x" * 255]),
        "description": random.choice([None, "", "all\tthat\ncan be said", "y" * 10_000]),
        "priority": random.choice(["low", "normal", "high", "urgent"]),
        "tags": random.sample(["a", "b", "c d", "é", "z" * 64], k=random.randint(0, 5)),
        "queue": random.choice(["default", "slow", "q" * 64]),
        "timeout_seconds": random.choice([None, 0.001, 7.5, 86_400]),
        "max_retries": random.choice([None, 0, 9, 100]),
        "backoff_base_seconds": random.choice([None, 0.5, 86_400]),
        "backoff_max_seconds": random.choice([None, 20]),
        "keep_seconds": random.choice([None, 1, 3_153_600_000]),
    }
    start = random.choice(["none", "run_at", "delay_seconds"])
    if start == "run_at":
        given["run_at"] = random.choice(["2031-05-06T07:08:09.123456+02:00", None])
    if start == "delay_seconds":
        given["delay_seconds"] = random.choice([0, 60, 31_536_000])
    chosen = random.sample(sorted(given), k=random.randint(0, len(given)))
    return {**ECHO, **{name: given[name] for name in chosen}}


def bodies(random: Random) -> Part:
    """A body that can be stored, or that breaks a rule nobody but the service can know of."""
    refused: list[dict[str, Any]] = [
        {**ECHO, "handler": "nobody.has-it"},
        {**ECHO, "payload": {}},
        {**ECHO, "payload": {"value": "x" * 2_000}},  # above max_payload_bytes
        {**ECHO, "payload": {"value": 1, "other": 2}},
    ]
    document = random.choice(refused) if random.random() < 0.2 else fields(random)
    return Part(json.dumps(document, ensure_ascii=random.random() < 0.5).encode())


def odd_bodies(random: Random) -> Part:
    """A body that FastAPI has to look at."""
    values: list[Any] = [
        {**ECHO, "unknown": 1},
        {**ECHO, "priority": "highest"},
        {**ECHO, "timeout_seconds": 0},
        {**ECHO, "max_retries": 101},
        {**ECHO, "tags": ["x"] * 33},
        {**ECHO, "title": " edge"},
        {**ECHO, "run_at": "2031-05-06T07:08:09Z", "delay_seconds": 1},
        {**ECHO, "delay_seconds": 31_536_001},
        {**ECHO, "payload": {"value": 2**64}},
        {**ECHO, "payload": {"value": "\ud800"}},
        {**ECHO, "payload": [1]},
        {**ECHO, "payload": {"value": [[[1]] * 4_000]}},
        {**ECHO, "handler": "x" * 129},
        {"payload": {}},
        [],
        None,
        "text",
    ]
    texts = [
        *(b"", b"{", b'{"handler": NaN}', b'{"handler": "\xff"}', b"\xef\xbb\xbf" + GOOD),
        b'{"handler": "a", "handler": "a"}',
        b'{"handler":' + b"[" * 40 + b"]" * 40 + b"}",
        GOOD + b" " * 65_536,
    ]
    return Part(random.choice([*(json.dumps(each).encode() for each in values), *texts]), False)


def types(random: Random) -> Part:
    """Content-Type and Content-Encoding that are taken."""
    given = random.choice(
        [b"application/json", b'Application/JSON ; Charset="UTF-8"', b"application/json;q=1"]
    )
    coding = random.choice([(), (), ((b"Content-Encoding", b"Identity"),)])
    return Part(((b"Content-Type", given), *coding))


def odd_types(random: Random) -> Part:
    """What is refused: another type, charset or coding, none, or two."""
    json_type = (b"Content-Type", b"application/json")
    return Part(
        random.choice(
            [
                (),
                (json_type, json_type),
                ((b"Content-Type", b"application/json; charset=latin-1"),),
                ((b"Content-Type", b"text/plain"),),
                ((b"Content-Type", b"application/merge-patch+json"),),
                (json_type, (b"Content-Encoding", b"br")),
            ]
        ),
        False,
    )


def keys(random: Random) -> Part:
    """No key, or one of a few: the same ones come again, with the same body or another."""
    few = [b"{way}%d" % number for number in range(4)] + [b"~" * 254 + b"{way}", b"a {way}"]
    return Part(() if random.random() < 0.4 else ((b"Idempotency-Key", random.choice(few)),))


def odd_keys(random: Random) -> Part:
    """What no key can be, or two of them."""
    bad = [b"", b"x" * 256, b"tab\ttab", b"\xe9"]
    lines = [((b"Idempotency-Key", each),) for each in bad]
    lines.append(((b"Idempotency-Key", b"{way}0"), (b"Idempotency-Key", b"{way}1")))
    return Part(random.choice(lines), False)


def heads(random: Random) -> Part:
    """Headers that change nothing, or only what is answered or stored beside the body."""
    known = [
        (b"traceparent", TRACE),
        (b"Traceparent", b"nonsense"),
        (b"X-Request-Id", b"mine"),
        (b"Accept", b"text/html"),
        (b"If-Match", b'"7"'),
        (b"Cookie", b"a=b"),
        (b"X-Name", b"\xc3\xa9"),
    ]
    chosen = random.sample(known, k=random.randint(0, 3))
    return Part(list({name.lower(): (name, value) for name, value in chosen}.values()))


def odd_heads(random: Random) -> Part:
    """The same header twice."""
    return Part([(b"Cookie", b"a=b"), (b"Cookie", b"c=d")], False)


def preferences(random: Random) -> Part:
    """None."""
    return Part(())


def odd_preferences(random: Random) -> Part:
    """Some that are followed, and some that are ignored."""
    given = [b"wait=0", b"return=minimal", b"respond-async, wait=0", b"", b"nonsense"]
    return Part(((b"Prefer", random.choice(given)),), False)


def queries(random: Random) -> Part:
    """None."""
    return Part("")


def odd_queries(random: Random) -> Part:
    """What this route does not take."""
    return Part(random.choice(["?a=b", "?wait=1", "?a=b&a=b"]), False)


def lengths(random: Random) -> Part:
    """Announced."""
    return Part(False)


def odd_lengths(random: Random) -> Part:
    """In chunks."""
    return Part(True, False)


def several(random: Random, number: int) -> list[Submit]:
    """So many requests; some come a second time, so that their keys are replayed."""
    drawn: list[Submit] = []
    for _ in range(number):
        again = bool(drawn) and random.random() < 0.2
        drawn.append(random.choice(drawn) if again else draw(random))
    return drawn


def draw(random: Random) -> Submit:
    """One request; about half of them are ordinary in each part."""

    def part(usual: Callable[[Random], Part], odd: Callable[[Random], Part], share: float) -> Part:
        return odd(random) if random.random() < share else usual(random)

    body, kind, key, head, prefer, query, length = parts = (
        part(bodies, odd_bodies, 0.25),
        part(types, odd_types, 0.08),
        part(keys, odd_keys, 0.08),
        part(heads, odd_heads, 0.04),
        part(preferences, odd_preferences, 0.08),
        part(queries, odd_queries, 0.04),
        part(lengths, odd_lengths, 0.06),
    )
    is_ordinary: bool | None = all(each.ordinary for each in parts)
    if is_ordinary and len(body.value) > 8_192:
        is_ordinary = None  # it may come in pieces
    headers = [*kind.value, *key.value, *head.value, *prefer.value]
    return Submit(body.value, headers, query.value, length.value, is_ordinary)

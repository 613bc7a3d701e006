"""Four batches of 8 MB and twenty submits at once, from a process of their own: `-m … URL`."""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

ITEM = b'{"handler":"taskq.echo","payload":{"value":[%s]}}'
NESTED = b"[" * 28 + b"]" * 28
BATCH_BYTES = 8_200_000


def many(unit: bytes, size: int) -> bytes:
    return ITEM % b",".join([unit] * (size // (len(unit) + 1)))


def batch(unit: bytes, size: int) -> bytes:
    item = many(unit, size)
    return b'{"items":[%s]}' % b",".join([item] * (BATCH_BYTES // (len(item) + 1)))


def expr(levels: int) -> dict[str, Any]:
    bad: dict[str, Any] = {"n": "bad"}
    for _ in range(levels):
        bad = {"left": bad, "right": {"n": 1}, "op": "mul"}
    return {"handler": "recursive.expr", "payload": {"e": bad}}


def bodies() -> list[tuple[str, bytes]]:
    batches = [
        *(batch(NESTED, 250_000), batch(NESTED, 90_000)),
        *(batch(b"[]", 8_000), batch(b'{"a":1}', 100_000)),
    ]
    submits = [
        *(json.dumps(expr(levels)).encode() for levels in (16, 26)),
        *(many(b"[]", 140_000), many(b"[]", 900_000)),
        b'{"handler":"taskq.echo","tags":[%s]}' % b",".join([b"0"] * 400_000),
    ]
    return [("/tasks/batch", raw) for raw in batches] + [("/tasks", raw) for raw in submits] * 4


def main(url: str) -> None:
    def send(path: str, raw: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        answer = httpx.post(url + path, content=raw, headers=headers, timeout=120, trust_env=False)
        return f"{answer.status_code} {answer.json().get('code', 'taken')}"

    attacks = bodies()
    with ThreadPoolExecutor(len(attacks)) as pool:
        answers = list(pool.map(lambda one: send(*one), attacks))
    print(json.dumps(Counter(answers)))


if __name__ == "__main__":
    main(sys.argv[1])

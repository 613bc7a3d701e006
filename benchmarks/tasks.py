"""What is submitted: a no-op, or with BENCH_RICH=1 4 kB and two tags for a real handler."""

import json
import os
from hashlib import sha256
from typing import Any

RICH = bool(os.environ.get("BENCH_RICH"))
HANDLER = "bench.digest" if RICH else "bench.noop"

_TEXT = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. " * 60
_ROUNDS = 50


def new_task(number: int) -> dict[str, Any]:
    """Return what is submitted; a contestant without tags ignores them."""
    if not RICH:
        return {"handler": HANDLER, "payload": {"n": number}}
    return {
        "handler": HANDLER,
        "payload": {"n": number, "text": _TEXT},
        "tags": ["bench", f"group-{number % 50}"],
    }


def body(number: int) -> bytes:
    """Return it as the body of a POST."""
    return json.dumps(new_task(number), separators=(",", ":"), ensure_ascii=False).encode()


async def noop(n: int = 0) -> int:
    """Do nothing."""
    return n


async def digest(n: int, text: str) -> dict[str, object]:
    """Do what takes about a tenth of a millisecond."""
    found = text.encode()
    for _ in range(_ROUNDS):
        found = sha256(found).digest()
    return {"n": n, "digest": found.hex(), "words": len(text.split())}

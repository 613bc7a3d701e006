"""Handlers of your own, as the examples use them.

A worker loads this module by its name; start one in the folder above:

    taskq-server dev --handlers examples.handlers
"""

import asyncio
from collections import Counter
from pathlib import Path

from pydantic import BaseModel

from taskq_server import (
    Backoff,
    Context,
    Fatal,
    Retry,
    TaskEvent,
    handler,
    on_retry,
    on_startup,
)


class Report(BaseModel):
    month: str
    rows: int
    currency: str


class Count(BaseModel):
    lines: int
    words: int
    terms: list[tuple[str, int]]


class Shared:
    """What the handlers of a worker share."""

    currency: str


@on_startup
async def prepare(state: Shared) -> None:
    """Runs once in each worker; a connection pool would be made here."""
    state.currency = "EUR"


@on_retry
def tell(event: TaskEvent) -> None:
    """Runs after each failed attempt that is tried again."""
    print(f"{event.handler}: attempt {event.attempt} failed: {event.error_message}", flush=True)


@handler("reports.build", max_retries=5, timeout=60, backoff=Backoff(base=1, cap=60))
async def build(context: Context[Shared], month: str, rows: int = 100) -> Report:
    """Build the report of a month. Parameters are the keys of the payload, and are validated."""
    if not month.startswith("20"):
        raise Fatal(f"there is no data for {month}")  # no further try
    if context.attempt == 1:
        raise Retry("the data is still being written", after=0.1)  # charged as a retry
    for done in range(0, rows, 25):
        await context.progress(done, rows, "reading")
        await asyncio.sleep(0.01)
    return Report(month=month, rows=rows, currency=context.state.currency)


@handler("films.encode")
async def encode(context: Context, frames: int) -> int:
    """Work for a while, and say how far it is. Progress is cheap: only the latest is stored."""
    for frame in range(1, frames + 1):
        await asyncio.sleep(0.02)
        await context.progress(frame, frames, f"frame {frame}")
    return frames * 1024


@handler("files.count", timeout=30, retry_on=OSError)
def count(path: Path, most: int = 3) -> Count:
    """Count lines, words and the most frequent terms of a text file, which the worker reads.

    This is not async, so it runs in a thread and blocks nobody.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise Fatal(f"{path} is not a text file here") from error
    words = text.split()
    terms = Counter(word.lower() for word in words if len(word) > 3 and word.isalpha())
    # Equally frequent terms in the order of the alphabet, so that a second run says the same.
    ranking = sorted(terms.items(), key=lambda term: (-term[1], term[0]))
    return Count(lines=len(text.splitlines()), words=len(words), terms=ranking[:most])

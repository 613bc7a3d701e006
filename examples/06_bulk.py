"""Ten thousand tasks from one loop, in little memory.

Start a server in another terminal, then run this script:

    taskq-server dev
    python examples/06_bulk.py
"""

import tracemalloc
from collections.abc import Iterator

from taskq_client import TaskqClient

ITEMS = 10_000


def payloads(count: int) -> Iterator[dict[str, object]]:
    """Made one by one: nobody ever holds all of them."""
    for number in range(count):
        yield {"value": number}


with TaskqClient() as client:
    # `map` takes payloads as it needs them, keeps up to a thousand tasks under way, and hands out
    # each as it ends, whatever its end.
    total, succeeded = 0, 0
    tracemalloc.start()
    for task in client.map("taskq.echo", payloads(ITEMS), tags=["bulk"], timeout=600):
        if task.status == "succeeded":
            succeeded += 1
            total += task.result
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(succeeded, "succeeded, their sum is", total)
    print("less than 30 MB:", peak < 30_000_000)

    # Its two halves: submit now, in batches that are safe to send again, and wait later.
    new = ({"handler": "taskq.echo", "payload": payload} for payload in payloads(1500))
    handles = client.submit_many(new, on_stored=lambda count: print("stored", count))
    print("first to end is one of them:", next(client.as_completed(handles)).tags == [])
    print("all:", sum(task.result for task in client.wait_all(handles, timeout=600)))

# prints:
# 10000 succeeded, their sum is 49995000
# less than 30 MB: True
# stored 1000
# stored 1500
# first to end is one of them: True
# all: 1124250

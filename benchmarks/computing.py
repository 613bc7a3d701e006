"""What taskq's workers run in P11: in threads, or with BENCH_PROCESSES=1 in processes."""

import os

from taskq_server import handler

IN_PROCESSES = "BENCH_PROCESSES"


@handler("bench.compute", process=bool(os.environ.get(IN_PROCESSES)), timeout=600)
def compute(rounds: int) -> int:
    """Keep a core busy with Python."""
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return total

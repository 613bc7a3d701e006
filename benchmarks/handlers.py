"""What taskq's workers run in the benchmarks."""

from taskq_server import handler


@handler("bench.noop")
async def noop(n: int = 0) -> int:
    return n

"""What taskq's workers run in the benchmarks."""

from benchmarks import tasks
from taskq_server import handler

noop = handler("bench.noop")(tasks.noop)
digest = handler("bench.digest")(tasks.digest)

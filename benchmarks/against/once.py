"""One scenario, once: `python -m benchmarks.against.once ORDER` in the environment of a commit.

taskq's processes, its client and the load generator all run on the interpreter, and with the
packages, of this environment. The last line that is printed are the numbers.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks import cpu
from benchmarks.against.run import Order, Run
from benchmarks.against.scenarios import SCENARIOS
from benchmarks.peers.base import RoundTrip
from benchmarks.peers.taskq import Taskq
from benchmarks.servers import Servers


class Measured(Taskq):
    """taskq on given servers; what its processes and the servers spend is noted.

    Args:
        order: What to do, and where.
    """

    look_seconds = 0.05  # a look takes MariaDB some milliseconds, which count here

    def __init__(self, order: Order) -> None:
        super().__init__(Servers())
        self._order = order
        self._clocks: dict[str, Callable[[], float]] = {
            name: partial(cpu.used, pid) for name, pid in order.servers.items()
        }
        self.spent: dict[str, float] = {}

    def prepare(self) -> None:
        self.use(self._order.database_url, self._order.redis_url)

    def round_trip(self) -> RoundTrip:
        """The client is taskq's here; elsewhere it is the load generator, which does not count."""
        self._clocks["client"] = time.process_time
        return super().round_trip()

    @contextmanager
    def measuring(self, tasks: int) -> Iterator[None]:
        if tasks < 1:
            raise RuntimeError("all tasks were done at the first look: take a larger --scale")
        running = [child for child in self.children if child.running]
        clocks = {child.argv[3]: partial(cpu.used, child.pid) for child in running} | self._clocks
        before = {name: clock() for name, clock in clocks.items()}
        yield
        seconds = {name: clock() - before[name] for name, clock in clocks.items()}
        self.spent = {name: used / tasks * 1e6 for name, used in seconds.items()}
        if not all(child.running for child in running):
            raise RuntimeError(f"a process of taskq ended meanwhile\n{self.logs()}")


def main() -> None:
    """Run, and print what came of it."""
    order = Order.read(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    with Measured(order) as peer:
        numbers = SCENARIOS[order.scenario].run(peer, order.count)
    print(Run(numbers=numbers, cpu=peer.spent).write())


if __name__ == "__main__":
    main()

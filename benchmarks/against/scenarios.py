"""What is measured of two commits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.peers.base import Peer
from benchmarks.scenarios import posting, working
from benchmarks.scenarios.measure import Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One measurement.

    Attributes:
        title: what it is, in a word.
        run: measures one commit once.
        count: how many tasks one run has: 3 to 5 seconds of load on two cores.
        judged: the number that is held against the bound.
    """

    title: str
    run: Callable[[Peer, int], Numbers]
    count: int
    judged: str


SCENARIOS: Mapping[str, Scenario] = {
    "P1": Scenario(title="post", run=posting.post, count=12_000, judged="req/s"),
    "P2": Scenario(title="pipeline", run=posting.pipeline, count=7_000, judged="tasks/s"),
    "P3": Scenario(title="drain", run=working.drain, count=20_000, judged="tasks/s"),
    "P5": Scenario(title="latency", run=working.round_trip, count=220, judged="p50 ms"),
}

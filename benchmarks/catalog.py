"""Which scenarios there are, who takes part, and with how many tasks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.peers.arq import Arq
from benchmarks.peers.base import Peer
from benchmarks.peers.celery import Celery
from benchmarks.peers.dramatiq import Dramatiq
from benchmarks.peers.handwritten.peer import Handwritten
from benchmarks.peers.nothing import Nothing
from benchmarks.peers.pgqueuer import PgQueuerDefault, PgQueuerPeer
from benchmarks.peers.procrastinate import Procrastinate
from benchmarks.peers.taskq import Dev, Taskq
from benchmarks.peers.taskq_computing import Processes, Threads
from benchmarks.peers.taskq_keys import WithKey
from benchmarks.peers.taskq_sized import Few, Many, OneEach, Roomy, TwoThree
from benchmarks.peers.taskq_tenants import ManyNamespaces, OneNamespace
from benchmarks.scenarios import operations, posting, scaling, schedules, tenants, working
from benchmarks.scenarios.measure import Numbers

Contestants = Mapping[str, type[Peer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One measurement.

    Attributes:
        title: what it is, in a word.
        run: measures one contestant once.
        count: how many tasks, or samples, one round has.
        default: who takes part.
        on_request: who else may.
    """

    title: str
    run: Callable[[Peer, int], Numbers]
    count: int
    default: Contestants
    on_request: Contestants = field(default_factory=dict)


def _named(*peers: type[Peer]) -> Contestants:
    return {peer.name: peer for peer in peers}


SCENARIOS: Mapping[str, Scenario] = {
    "P1": Scenario(
        title="post",
        run=posting.post,
        count=4_000,
        default=_named(Taskq, WithKey, Handwritten, Nothing),
    ),
    "P2": Scenario(
        title="pipeline", run=posting.pipeline, count=5_000, default=_named(Taskq, Handwritten)
    ),
    "P3": Scenario(
        title="drain",
        run=working.drain,
        count=10_000,
        default=_named(Taskq, Roomy, PgQueuerPeer, PgQueuerDefault, Arq, Celery),
        on_request=_named(Procrastinate, Dramatiq),
    ),
    "P4": Scenario(
        title="bulk",
        run=working.bulk,
        count=100_000,
        default=_named(Taskq, Handwritten, PgQueuerPeer),
        on_request=_named(Procrastinate),
    ),
    "P5": Scenario(
        title="latency",
        run=working.round_trip,
        count=200,
        default=_named(Taskq, Handwritten, Celery),
        on_request=_named(Procrastinate, PgQueuerPeer, Arq, Dramatiq),
    ),
    "P6": Scenario(title="idle", run=scaling.idle, count=100_000, default=_named(Taskq)),
    "P7": Scenario(title="list", run=scaling.listing, count=40, default=_named(Few, Many)),
    "P8": Scenario(title="deep", run=scaling.deep, count=10_000, default=_named(Few, Many)),
    "P9": Scenario(
        title="processes",
        run=scaling.processes,
        count=5_000,
        default=_named(OneEach, TwoThree),
    ),
    "P10": Scenario(
        title="embedded", run=posting.pipeline, count=5_000, default=_named(Dev, Handwritten)
    ),
    "P11": Scenario(
        title="compute", run=working.compute, count=8, default=_named(Threads, Processes)
    ),
    "P12": Scenario(
        title="tenants",
        run=tenants.tenants,
        count=100_000,
        default=_named(OneNamespace, ManyNamespaces),
    ),
    "P13": Scenario(
        title="operations", run=operations.operations, count=100_000, default=_named(Taskq)
    ),
    "P14": Scenario(
        title="schedules", run=schedules.schedules, count=10_000, default=_named(Taskq)
    ),
}

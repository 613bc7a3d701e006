"""Which worker takes care of which sweep; two at once do no harm.

Each kind of sweep has a row with a holder and a counter, which is a lease as that of a worker.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from taskq_server.domain.watch import Watch

_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Share:
    """The row of one kind of sweep.

    Attributes:
        kind: of the sweep.
        holder: the worker that takes care of it; None while nobody does.
        beats: moves while the holder does.
        holder_beats: the counter of the worker that is the holder; None if there is no such worker.
    """

    kind: str
    holder: UUID | None
    beats: int
    holder_beats: int | None = None


def kind_of(name: str, served: Sequence[str]) -> str:
    """Return the kind of a sweep that only workers can do that serve the same.

    Args:
        name: of the sweep.
        served: all that tells apart what workers can do.
    """
    text = "\0".join(served)
    return f"{name}:{sha256(text.encode('utf-8', 'replace')).hexdigest()[:_DIGITS]}"


class Elections:
    """What one worker knows of the kinds of sweeps that it can do.

    Args:
        kinds: that it can do.
        lease: seconds.
    """

    def __init__(self, kinds: Collection[str], lease: float) -> None:
        self._kinds = frozenset(kinds)
        self._lease = lease
        self._watch: Watch[str] = Watch(lease)
        self._worker_id: UUID | None = None
        self._rows: dict[str, Share] = {}
        self._open: frozenset[str] = frozenset()
        self._mine: dict[str, tuple[int, float]] = {}

    @property
    def mine(self) -> list[str]:
        """The kinds that this worker has taken, in the order of their names."""
        return sorted(self._mine)

    def heard(self, worker_id: UUID, rows: Sequence[Share], now: float) -> None:
        """Note what the rows say.

        Args:
            worker_id: of this worker.
            rows: all of them.
            now: monotonic, in seconds.
        """
        self._worker_id = worker_id
        self._rows = {row.kind: row for row in rows if row.kind in self._kinds}
        for kind, (beats, _) in list(self._mine.items()):
            row = self._rows.get(kind)
            if row is not None and row.holder != worker_id and row.beats >= beats:
                del self._mine[kind]
        self._open = self._kinds - self._mine.keys()
        others = {
            kind: row.beats
            for kind, row in self._rows.items()
            if row.holder not in (None, worker_id)
        }
        self._watch.keep(others)
        self._watch.saw(others, now)

    def free(self, now: float) -> Mapping[str, int | None]:
        """Return the kinds to take, with the counters seen; None where there is no row yet."""
        still = self._watch.still(now)
        free: dict[str, int | None] = {}
        for kind in sorted(self._open):
            row = self._rows.get(kind)
            if row is None:
                free[kind] = None
            elif row.holder in (None, self._worker_id):
                free[kind] = row.beats
            elif kind in still:
                free[kind] = still[kind]
        return free

    def tried(self, kind: str, beats: int | None, asked: float) -> None:
        """Note that this worker has asked for a kind then.

        Args:
            kind: that was free.
            beats: the counter now; None if another worker was first.
            asked: monotonic, in seconds.
        """
        self._open -= {kind}
        self._watch.keep(self._open)
        if beats is not None:
            self._mine[kind] = beats, asked + self._lease

    def renewed(self, asked: float) -> None:
        """Note that this worker has renewed all that it has taken, which it had asked for then."""
        until = asked + self._lease
        self._mine = {kind: (beats + 1, until) for kind, (beats, _) in self._mine.items()}

    def drop(self) -> None:
        """Forget what this worker has taken, because some of it may be another one's by now."""
        self._mine.clear()

    def holds(self, kind: str, now: float) -> bool:
        """Return whether it is this worker that takes care of a kind."""
        return kind in self._mine and now < self._mine[kind][1]

    def next(self, now: float) -> float | None:
        """Return in how many seconds a kind will be free, if its holder beats no more."""
        return self._watch.next(now)

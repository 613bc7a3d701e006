"""Which declared schedule is in force, over random histories of releases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from taskq_server.domain.declarations import (
    NOTHING,
    Declaration,
    Known,
    Publisher,
    goes_back,
    in_force,
    news,
)

NAMESPACES = ("a", "b")
START = datetime(2026, 11, 1, tzinfo=UTC)
CRONS = [Declaration(f"{minute} * * * *", None, "UTC") for minute in range(4)]
TEXTS = {one.digest: one.text for one in CRONS}


@dataclass(frozen=True)
class Release:
    """What a worker of a release serves and declares."""

    served: tuple[str, ...]
    declared: tuple[str, str] | None

    @property
    def publisher(self) -> Publisher:
        declared = {} if self.declared is None else {"h": self.declared}
        return Publisher(frozenset(self.served), frozenset({"h"}), declared)

    def says(self, namespace: str) -> str | None:
        """What it declares there, in words of its own."""
        if namespace not in self.served and "*" not in self.served:
            return None
        if self.declared is not None and self.declared[0] == namespace:
            return self.declared[1]
        return NOTHING


class Fleet:
    """Workers that start and end, and what the database keeps."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Known] = {}
        self.live: list[Release] = []
        self.last = dict.fromkeys(NAMESPACES, NOTHING)

    def start(self, release: Release, now: datetime) -> None:
        for one in news(release.publisher, list(self.rows.values()), TEXTS, now):
            self.rows.setdefault((one.namespace, one.digest), one)
        self.live.append(release)
        self.judge()

    def end(self, index: int) -> None:
        del self.live[index % len(self.live)]
        self.judge()

    def first(self, namespace: str) -> dict[str, datetime]:
        rows = self.rows.items()
        return {digest: row.first_published_at for (of, digest), row in rows if of == namespace}

    def judge(self) -> None:
        for namespace in NAMESPACES:
            first = self.first(namespace)
            if any(self.rows[namespace, digest].text for digest in first):
                said = [one.publisher.says(namespace, "h") for one in self.live]
                known = [digest for digest in said if digest is not None]
                self.last[namespace] = in_force(first, known, self.last[namespace])


class Oracle:
    """The same as a list of all that was said, in the order of its first time."""

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = {namespace: [] for namespace in NAMESPACES}
        self.live: list[Release] = []
        self.last = dict.fromkeys(NAMESPACES, NOTHING)

    def start(self, release: Release) -> None:
        for namespace, said in self.said.items():
            digest = release.says(namespace)
            if digest is not None and digest not in said:
                said.append(digest)
        self.live.append(release)
        self.judge()

    def end(self, index: int) -> None:
        del self.live[index % len(self.live)]
        self.judge()

    def judge(self) -> None:
        for namespace, said in self.said.items():
            lives = {one.says(namespace) for one in self.live}
            latest = [digest for digest in said if digest in lives]
            self.last[namespace] = latest[-1] if latest else self.last[namespace]


@st.composite
def releases(draw: st.DrawFn) -> Release:
    served = draw(st.sampled_from([("a",), ("b",), ("a", "b"), ("*",)]))
    possible = [name for name in NAMESPACES if name in served or "*" in served]
    digest = draw(st.sampled_from([None, *TEXTS]))
    return Release(served, None if digest is None else (draw(st.sampled_from(possible)), digest))


EVENTS = st.lists(st.one_of(releases(), st.integers(0, 9)), max_size=25)
CLOCKS = st.lists(st.integers(-3, 3), min_size=25, max_size=25)


@given(EVENTS, CLOCKS)
def test_over_all_histories_it_is_what_was_said_last_for_the_first_time(
    events: Sequence[Release | int], clocks: Sequence[int]
) -> None:
    fleet, oracle = Fleet(), Oracle()
    for event, microseconds in zip(events, clocks, strict=False):
        if isinstance(event, Release):
            fleet.start(event, START + timedelta(microseconds=microseconds))
            oracle.start(event)
        elif fleet.live:
            fleet.end(event)
            oracle.end(event)
        assert fleet.last == oracle.last, event


@given(EVENTS, releases())
def test_a_release_that_is_new_wins_at_its_first_start(
    events: Sequence[Release | int], release: Release
) -> None:
    fleet = Fleet()
    for event in events:
        if isinstance(event, Release):
            fleet.start(event, START)
        elif fleet.live:
            fleet.end(event)
    before = {namespace: set(fleet.first(namespace)) for namespace in NAMESPACES}
    fleet.start(release, START)
    for namespace, known in before.items():
        digest = release.publisher.says(namespace, "h")
        if digest not in (None, NOTHING) and digest not in known:
            assert fleet.last[namespace] == digest


@given(st.permutations([CRONS[0].digest, CRONS[1].digest, NOTHING]))
def test_restarts_of_old_workers_change_nothing_and_a_rollback_waits(order: list[str]) -> None:
    old, new, latest = (
        Release(("a",), None if digest == NOTHING else ("a", digest)) for digest in order
    )
    fleet = Fleet()
    for release in (old, new, latest, new, old, old):
        fleet.start(release, START)
        expected = order[max(0, min(2, len(fleet.live) - 1))]
        assert fleet.last["a"] == expected
    for release in (latest, new, new, old, old, old):  # they end in this order
        fleet.live.remove(release)
        fleet.judge()
        lives = {one.says("a") for one in fleet.live}
        assert fleet.last["a"] == next((one for one in reversed(order) if one in lives), order[0])


def test_without_a_live_worker_the_last_one_stays() -> None:
    first = {"x": START, "y": START + timedelta(seconds=1)}
    assert in_force(first, [], "x") == "x"
    assert in_force(first, ["x", "y"], "x") == "y"
    assert in_force(first, ["unheard-of"], "x") == "x"


def test_what_is_older_goes_back() -> None:
    first = {"x": START, "y": START + timedelta(seconds=1)}
    assert goes_back(first, "x", "y")
    assert not goes_back(first, "y", "x")
    assert not goes_back(first, "x", NOTHING), "that was never published"


def test_a_digest_tells_every_part_apart() -> None:
    several = [
        Declaration("0 6 * * *", None, "UTC"),
        Declaration("0 6 * * *", None, "Europe/Berlin"),
        Declaration("0 7 * * *", None, "UTC"),
        Declaration(None, 60.0, "UTC"),
        Declaration(None, 61.0, "UTC"),
    ]
    assert len({one.digest for one in several}) == 5
    assert all(one.digest < NOTHING for one in several), "an index finds them by that"
    assert [Declaration.read(one.text) for one in several] == several
    assert [str(one) for one in several[1:4]] == [
        "0 6 * * * in Europe/Berlin", "0 7 * * * in UTC", "every 60 s",
    ]  # fmt: skip

"""The ledger itself: each invariant notices what it is there for."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.evidence import AttemptEnded, Evidence, Interruption, Line, Row, Submit
from tests.faults.invariants import INVARIANTS

GOOD = Evidence(
    submits=[Submit("k", "faults.once", 1.0, task_id="t", answers=[201], ids={"t"})],
    lines=[
        Line("t", 1, 7, "start", 10.0),
        Line("t", 1, 7, "on_retry", 10.1),
        Line("t", 2, 7, "start", 11.0),
        Line("t", 2, 7, "end", 12.0),
    ],
    rows={"t": Row("t", "k", "succeeded", 2, 1, 3, 0, "NULL", 5)},
    ended={
        "t": [
            AttemptEnded(1, "failed", 10.0, 10.1, 11.0, True),
            AttemptEnded(2, "succeeded", 11.0, 12.0, None, True, "2"),
        ]
    },
    live_workers=3,
    running_workers=3,
    redis_keys={"arq:job:x": 60},
    interrupted=[],
    concurrency=20,
    stats={"one": {("default", "succeeded"): 1}, "two": {("default", "succeeded"): 1}},
    counts={("default", "succeeded"): 1},
)


def _row(**changes: object) -> Callable[[Evidence], Evidence]:
    def change(good: Evidence) -> Evidence:
        return replace(good, rows={"t": replace(good.rows["t"], **changes)})  # type: ignore[arg-type]

    return change


def _submit(**changes: object) -> Callable[[Evidence], Evidence]:
    def change(good: Evidence) -> Evidence:
        return replace(good, submits=[replace(good.submits[0], **changes)])  # type: ignore[arg-type]

    return change


def _ended(**changes: object) -> Callable[[Evidence], Evidence]:
    def change(good: Evidence) -> Evidence:
        first, last = good.ended["t"]
        return replace(good, ended={"t": [first, replace(last, **changes)]})  # type: ignore[arg-type]

    return change


def _line(line: Line) -> Callable[[Evidence], Evidence]:
    return lambda good: replace(good, lines=[*good.lines, line])


BAD: list[tuple[str, Callable[[Evidence], Evidence]]] = [
    ("I1", lambda good: replace(good, rows={})),
    ("I1", _row(status="running")),
    ("I1", _submit(answers=[500])),
    ("I1", _submit(ids=set())),
    ("I2", _line(Line("t", 2, 8, "start", 11.5))),
    ("I2", _row(attempt=3)),
    ("I2", _ended(result="1")),
    ("I2", lambda good: replace(good, ended={"t": good.ended["t"][1:]})),
    ("I2", lambda good: replace(good, lines=good.lines[:-1])),
    ("I3", _line(Line("t", 3, 8, "start", 13.0))),
    ("I4", _row(retries=2)),
    ("I4", _row(max_retries=0)),
    ("I5", _row(status="failed")),
    ("I5", _row(score="5")),
    ("I5", _row(version=1)),
    ("I6", _submit(ids={"t", "u"})),
    (
        "I6",
        lambda good: replace(good, rows=good.rows | {"u": replace(good.rows["t"], task_id="u")}),
    ),
    ("I6", lambda good: replace(good, submits=[])),
    ("I7", _submit(run_at=10.1)),
    ("I7", _submit(cancelled_at=9.0)),
    ("I7", _submit(cancelled_at=20.0)),
    ("I7", _submit(cancels=[404])),
    (
        "I8",
        lambda good: replace(good, lines=[one for one in good.lines if one.event != "on_retry"]),
    ),
    ("I9", lambda good: replace(good, live_workers=4)),
    ("I9", lambda good: replace(good, redis_keys={"x": -1})),
    ("I9", lambda good: replace(good, redis_keys={"{taskq:1}:default:queue:default": -1})),
]


def _lost(*interrupted: Interruption) -> Callable[[Evidence], Evidence]:
    """The first attempt is lost at 10.1, after its start at 10.0 in process 7."""

    def change(good: Evidence) -> Evidence:
        first, last = good.ended["t"]
        ended = {"t": [replace(first, outcome="lost"), last]}
        return replace(good, ended=ended, interrupted=list(interrupted))

    return change


BAD += [
    ("I10", _lost()),
    ("I10", _lost(Interruption(1, frozenset({8}), 9.0, 12.0))),
    ("I10", _lost(Interruption(1, frozenset({7}), 1.0, 9.0))),
    ("I10", _lost(Interruption(1, frozenset({7}), 12.0, 13.0))),
    ("I11", lambda good: replace(good, stats=good.stats | {"two": {}})),
    ("I11", lambda good: replace(good, stats={})),
    ("I11", lambda good: replace(good, counts={("default", "failed"): 1})),
]


def test_what_an_interrupted_worker_ran_may_be_lost() -> None:
    INVARIANTS["I10"](_lost(Interruption(1, frozenset({7}), 9.0, 12.0))(GOOD))


@pytest.mark.parametrize("name", INVARIANTS)
def test_good_evidence_passes(name: str) -> None:
    INVARIANTS[name](GOOD)


@pytest.mark.parametrize(("name", "spoil"), BAD)
def test_a_violation_is_noticed(name: str, spoil: Callable[[Evidence], Evidence]) -> None:
    with pytest.raises(AssertionError):
        INVARIANTS[name](spoil(GOOD))

"""Who takes care of which sweep, by what one worker has heard."""

from uuid import UUID

import pytest

from taskq_server.domain.sweeps import Elections, Share, kind_of

LEASE = 10.0
ME, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def elections() -> Elections:
    return Elections(["a", "b"], LEASE)


def test_before_it_has_heard_anything_nothing_is_free(elections: Elections) -> None:
    assert elections.free(1e9) == {}


def test_what_nobody_takes_care_of_is_free_at_once(elections: Elections) -> None:
    elections.heard(ME, [Share("a", None, 4), Share("foreign", None, 1)], 0.0)
    assert elections.free(0.0) == {"a": 4, "b": None}


def test_what_another_one_takes_care_of_is_free_after_a_lease(elections: Elections) -> None:
    rows = [Share("a", OTHER, 4), Share("b", OTHER, 1)]
    for second in range(11):
        elections.heard(ME, rows, float(second))
        rows[1] = Share("b", OTHER, second + 2)
    assert elections.free(9.9) == {}
    assert elections.free(10.0) == {"a": 4}
    assert elections.next(7.0) == 3.0


def test_what_it_has_taken_it_holds_for_a_lease_from_when_it_asked(elections: Elections) -> None:
    elections.heard(ME, [], 0.0)
    elections.tried("a", 1, 0.5)
    assert elections.mine == ["a"]
    assert elections.free(1.0) == {"b": None}
    assert elections.holds("a", 10.4)
    assert not elections.holds("a", 10.5)
    elections.renewed(2.0)
    assert elections.holds("a", 11.9)
    assert not elections.holds("b", 0.5)


def test_who_was_too_late_tries_again_only_when_it_has_heard_more(elections: Elections) -> None:
    elections.heard(ME, [], 0.0)
    elections.tried("a", None, 0.0)
    assert elections.free(0.1) == {"b": None}
    assert elections.next(0.1) is None
    elections.heard(ME, [Share("a", OTHER, 1)], 1.0)
    assert elections.free(1.0) == {"b": None}
    assert elections.next(1.0) == LEASE


def test_news_of_the_time_before_it_took_a_kind_change_nothing(elections: Elections) -> None:
    elections.heard(ME, [Share("a", None, 7)], 0.0)
    elections.tried("a", 8, 0.0)
    elections.heard(ME, [Share("a", None, 7)], 0.1)
    assert elections.holds("a", 0.1)
    elections.heard(ME, [Share("a", ME, 8)], 1.0)
    assert elections.holds("a", 1.0)


def test_what_another_one_has_taken_is_lost(elections: Elections) -> None:
    elections.heard(ME, [], 0.0)
    elections.tried("a", 1, 0.0)
    elections.renewed(1.0)
    elections.heard(ME, [Share("a", OTHER, 3)], 2.0)
    assert not elections.holds("a", 2.0)
    assert elections.mine == []


def test_what_it_has_dropped_it_takes_again_from_itself(elections: Elections) -> None:
    elections.heard(ME, [], 0.0)
    elections.tried("a", 1, 0.0)
    elections.drop()
    assert not elections.holds("a", 0.0)
    elections.heard(ME, [Share("a", ME, 1)], 1.0)
    assert elections.free(1.0)["a"] == 1


def test_workers_that_serve_the_same_share_a_kind() -> None:
    assert kind_of("stage", ["a", "b"]) == kind_of("stage", ["a", "b"])
    kinds = {kind_of("stage", served) for served in (["a", "b"], ["ab"], ["b", "a"], [])}
    assert len(kinds | {kind_of("hooks", ["a", "b"])}) == 5
    assert all(len(kind) <= 64 for kind in kinds)

"""Counters that stand still, by the time of whoever watches them."""

from taskq_server.domain.watch import Watch

LEASE = 10.0


def watch_for(seconds: float, counters: dict[str, int], watch: Watch[str], start: float) -> float:
    """See the same counters once a second, and return when they were seen last."""
    at = start
    while at < start + seconds:
        at += 1.0
        watch.saw(counters, at)
    return at


def test_a_counter_stands_still_for_a_lease_since_it_was_first_seen() -> None:
    watch: Watch[str] = Watch(LEASE)
    watch.saw({"a": 7}, 100.0)
    assert watch_for(9, {"a": 7}, watch, 100.0) == 109.0
    assert watch.still(109.9) == {}
    assert watch.next(109.9) == 110.0 - 109.9
    assert watch.still(110.0) == {"a": 7}


def test_who_just_started_watches_first() -> None:
    watch: Watch[str] = Watch(LEASE)
    assert watch.still(1e9) == {}
    assert watch.next(1e9) is None
    watch.saw({"a": 1}, 1e9)
    assert watch.still(1e9) == {}


def test_a_counter_that_moves_is_watched_anew() -> None:
    watch: Watch[str] = Watch(LEASE)
    watch.saw({"a": 1, "b": 1}, 0.0)
    watch_for(5, {"a": 1, "b": 1}, watch, 0.0)
    watch.saw({"a": 2}, 6.0)
    watch_for(5, {"a": 2}, watch, 6.0)
    assert watch.still(11.0) == {"b": 1}
    assert watch.unchanged(5.0, 11.0) == {"a": 2, "b": 1}


def test_one_who_heard_nothing_for_half_a_lease_begins_anew() -> None:
    """The watcher was frozen, or the database hung: then others could not beat either."""
    watch: Watch[str] = Watch(LEASE)
    watch.saw({"a": 1}, 0.0)
    watch_for(6, {"a": 1}, watch, 0.0)
    assert watch.still(11.1) == {}, "it has not heard since that anybody could beat"
    assert watch.next(11.1) is None
    watch.heard(11.1)
    assert watch.still(11.1) == {}
    watch.saw({"a": 1}, 11.2)
    watch_for(10, {"a": 1}, watch, 11.2)
    assert watch.still(21.2) == {"a": 1}


def test_a_look_long_ago_counts_as_long_as_the_database_was_heard() -> None:
    watch: Watch[str] = Watch(LEASE)
    watch.saw({"a": 1}, 0.0)
    for second in range(1, 11):
        watch.heard(float(second))
    assert watch.still(10.0) == {"a": 1}


def test_what_is_not_kept_is_forgotten() -> None:
    watch: Watch[str] = Watch(LEASE)
    watch.saw({"a": 1, "b": 1}, 0.0)
    watch.keep({"b"})
    assert watch.unchanged(0.0, 0.0) == {"b": 1}

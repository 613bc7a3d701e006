"""Whose doorbells a worker looks at, and when."""

from math import inf

from taskq_server.worker.turns import NamespaceTurns

MANY = [f"n{number:03}" for number in range(200)]


class Looks:
    """Turns of many namespaces at a time that a test sets."""

    def __init__(self, *names: str) -> None:
        self.now = 0.0
        self.turns = NamespaceTurns(names, 0.5, lambda: self.now)

    def look(self, *gave: str, more: tuple[str, ...] = (), next_in: float = inf) -> list[str]:
        names = self.turns.take()
        self.turns.looked(gave, more, next_in)
        return names


def test_a_few_are_looked_at_each_time() -> None:
    looks = Looks("a", "b", "c")
    assert [looks.look() for _ in range(3)] == [["a", "b", "c"]] * 3
    assert looks.turns.pause == 0.5


def test_of_many_those_that_were_rung_for_and_all_after_a_while() -> None:
    looks = Looks(*MANY)
    assert looks.look() == MANY
    assert looks.look() == []
    looks.turns.rung("n007")
    looks.turns.rung("n003")
    looks.now = 0.2
    assert looks.look() == ["n003", "n007"]
    assert looks.look() == []
    assert looks.turns.pause == 0.5 - 0.2
    looks.now = 0.5
    assert looks.look() == MANY


def test_what_has_more_is_looked_at_again_and_goes_last() -> None:
    looks = Looks(*MANY)
    looks.look("n000", "n001", more=("n000",))
    looks.turns.rung("n150")
    assert looks.look("n000", more=("n000",)) == ["n150", "n000"]
    assert looks.look() == ["n000"]


def test_what_is_rung_for_during_a_look_counts() -> None:
    looks = Looks(*MANY)
    looks.turns.rung("n001")
    names = looks.turns.take()
    looks.turns.rung("n001")
    looks.turns.looked((), (), inf)
    assert names == MANY
    assert looks.look() == ["n001"]


def test_all_are_looked_at_when_the_next_is_due() -> None:
    looks = Looks(*MANY)
    looks.look(next_in=0.1)
    assert looks.turns.pause == 0.1
    looks.now = 0.1
    assert looks.look() == MANY


def test_new_ones_are_looked_at_at_once_and_old_ones_keep_their_turn() -> None:
    looks = Looks(*MANY)
    looks.look("n000")
    looks.turns.serve([*MANY, "new"])
    assert looks.look() == [*MANY[1:], "n000", "new"]
    looks.turns.serve(["new", "n005"])
    assert looks.look("gone") == ["n005", "new"]

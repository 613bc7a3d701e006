"""What things are called in Redis."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskq_server.broker.names import Names

NAMES = Names("taskq", "4f00")
TEXT = st.text(st.sampled_from("ab:%/{}*é queuring"), min_size=1, max_size=12)


def test_the_form_is_the_one_that_the_readme_shows() -> None:
    assert NAMES.queue("default", "slow") == "{taskq:4f00}:default:queue:slow"
    assert NAMES.ring("default", "slow") == "{taskq:4f00}:default:ring:slow"
    assert NAMES.changed("default") == "{taskq:4f00}:default:changed"
    assert NAMES.cancel("default") == "{taskq:4f00}:default:cancel"
    assert NAMES.queues("default") == "{taskq:4f00}:default:queues"
    assert NAMES.keys == "{taskq:4f00}:keys"
    assert NAMES.rates == "{taskq:4f00}::rates"


@given(st.tuples(TEXT, TEXT), st.tuples(TEXT, TEXT))
def test_two_pairs_of_namespace_and_queue_never_share_a_name(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (NAMES.queue(*one) == NAMES.queue(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a:queue:b", "c"), ("a", "b:queue:c")),
        (("a%3Aqueue%3Ab", "c"), ("a:queue:b", "c")),
        (("a", "b"), ("A", "b")),
        (("a", "b"), ("a", "B")),
        (("a", "ring"), ("a:queue", "ring")),
    ],
)
def test_pairs_that_look_alike_have_names_of_their_own(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert NAMES.queue(*one) != NAMES.queue(*other)


@given(TEXT, TEXT, TEXT)
def test_a_channel_is_never_the_name_of_something_else(a: str, b: str, queue: str) -> None:
    calls: list[Callable[[str], str]] = [NAMES.changed, NAMES.cancel]
    called = [call(namespace) for call in calls for namespace in {a, b}]
    for of_queue in (NAMES.queue, NAMES.aside, NAMES.ring):
        called += [of_queue(namespace, queue) for namespace in {a, b}]
    called.append(NAMES.keys)
    assert len(set(called)) == len(called)


def test_prefixes_and_deployments_do_not_meet() -> None:
    every = [Names("taskq", "1"), Names("taskq", "2"), Names("taskq:1", "2"), Names("t", "1")]
    assert len({names.queue("default", "default") for names in every}) == len(every)


@given(TEXT, TEXT)
def test_all_names_of_a_deployment_have_one_hash_tag(namespace: str, queue: str) -> None:
    """What stands between the first brace and the next closing one decides the slot."""
    for name in (NAMES.queue(namespace, queue), NAMES.ring(namespace, queue)):
        assert name[1 : name.index("}")] == "taskq:4f00"

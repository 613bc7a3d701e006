"""Which version of a handler is published, and what its other versions do."""

import pytest

from taskq_server.domain.skew import MAX_PUT_OFF, Version, pause_after, succession


def version(schema: str, replaced: str = "") -> Version:
    return Version(schema, frozenset(replaced))


V1, V2, V3 = version("1"), version("2", "1"), version("3", "12")


@pytest.mark.parametrize(
    ("own", "published", "live", "expected"),
    [
        (V1, None, [], V1),
        (V1, "1", [V1], V1),
        (version("2"), "1", [V1], V2),
        (version("2"), "1", [], V2),
        (version("2"), "2", [V2], V2),
        (V1, "2", [V2], None),
        (V1, "2", [V1, V2, version("2")], None),
        (V1, "2", [V1], version("1", "2")),
        (V1, "2", [], version("1", "2")),
        (version("3"), "2", [V1, V2], V3),
        (V1, "3", [V2, V3], None),
        (V2, "3", [V1, V2, V3], None),
        (V2, "3", [V1, V2], version("2", "13")),
        (V2, "2", [version("2", "0"), V2], version("2", "01")),
        (version("1", "2"), "1", [version("1", "2"), V2], version("1", "2")),
        (V2, "1", [version("1", "2")], None),
    ],
)
def test_the_latest_version_that_lives_is_published(
    own: Version, published: str | None, live: list[Version], expected: Version | None
) -> None:
    assert succession(own, published, live) == expected


def test_pauses_grow_to_about_a_minute_and_end() -> None:
    pauses = [pause_after(number) for number in range(MAX_PUT_OFF + 1)]
    assert pauses == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, None]
    assert sum(filter(None, pauses)) == 55

"""The grammar of `Prefer`, entity tags and `traceparent`."""

import pytest

from taskq_server.api.errors import InvalidHeader
from taskq_server.api.headers import EntityTags, Preferences


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("wait=10", Preferences(wait=10)),
        ("Wait = 10", Preferences(wait=10)),
        ('wait="10"', Preferences(wait=10)),
        ("wait=0", Preferences(wait=0)),
        ("wait=61", Preferences(wait=60)),
        ("wait=999999999", Preferences(wait=60)),
        ("wait=9999999999", Preferences()),
        ("wait=5, wait=9", Preferences(wait=5)),
        ("wait=5; foo=bar; baz", Preferences(wait=5)),
        ("respond-async,wait=5,return=minimal", Preferences(wait=5, minimal=True)),
        ("return=Minimal", Preferences(minimal=True)),
        ("return=representation", Preferences()),
        ('foo="wait=5"', Preferences()),
        ("foo; wait=5", Preferences()),
        ("await=5", Preferences()),
        ("wait=-5", Preferences()),
        ("wait=1.5", Preferences()),
        ("wait=٣", Preferences()),
        ("wait", Preferences()),
        ("wait=", Preferences()),
        (", ,=,;", Preferences()),
        ("", Preferences()),
    ],
)
def test_preferences(value: str, expected: Preferences) -> None:
    assert Preferences.parse(value) == expected


def test_a_long_header_is_read_in_no_time() -> None:
    assert Preferences.parse("a" * 60_000 + '="' * 3_000) == Preferences()
    with pytest.raises(InvalidHeader):
        EntityTags.parse("If-Match", '"a", ' * 10_000 + '"')


@pytest.mark.parametrize(
    ("value", "strongly", "weakly"),
    [
        ("*", True, True),
        ('"3"', True, True),
        ('W/"3"', False, True),
        ('"2", W/"3"', False, True),
        ('  "2" ,"3"  ', True, True),
        ('"33"', False, False),
        ('"a,b"', False, False),
    ],
)
def test_entity_tags(value: str, strongly: bool, weakly: bool) -> None:
    tags = EntityTags.parse("If-Match", value)
    assert tags.match_strongly(3) is strongly
    assert tags.match_weakly(3) is weakly


@pytest.mark.parametrize(
    "value", ["", " ", "3", '"3', '3"', '"3""4"', 'w/"3"', '"3"; x', "*, *", ","]
)
def test_malformed_entity_tags(value: str) -> None:
    with pytest.raises(InvalidHeader) as caught:
        EntityTags.parse("If-Match", value)
    assert caught.value.errors[0].pointer == "/header/If-Match"

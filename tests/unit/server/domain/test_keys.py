"""The form of keys, and which secrets open."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from taskq_server.domain.keys import ApiKey, Rejection, Token, check, digest, new_token, parse

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TOKEN = new_token(random=lambda count: bytes(range(count)))
KEY = ApiKey(
    id=TOKEN.id,
    name="web",
    namespace="default",
    scopes=("tasks:read",),
    secret_hash=digest(TOKEN.secret),
    created_at=NOW,
)


def test_a_key_is_read_as_it_was_made() -> None:
    made = {new_token() for _ in range(1_000)}
    assert {parse(each.text) for each in made} == made
    assert len({each.id for each in made}) == 1_000


def test_a_key_is_made_of_random_bytes_alone() -> None:
    made = new_token(random=lambda count: bytes(range(count)))
    assert made.text == f"tq_{made.id}_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert len(made.id) == 12
    assert new_token(made.id).id == made.id


@pytest.mark.parametrize(
    "text",
    [
        *("", "tq_", "Bearer x", TOKEN.text + "\n", TOKEN.text + "x", " " + TOKEN.text),
        *(TOKEN.text[:-1], TOKEN.text.upper(), TOKEN.text.replace("tq_", "tk_")),
        *(f"tq_{'ä' * 12}_{'a' * 43}", f"tq_{'a' * 11}_{'a' * 43}", "x" * 1_000_000),
    ],
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert parse(text) is None


def test_no_repr_has_a_secret_or_a_hash() -> None:
    for shown in (repr(TOKEN), str(TOKEN), f"{TOKEN}", repr(KEY), f"{[TOKEN, KEY]}"):
        assert TOKEN.secret not in shown
        assert KEY.secret_hash.hex() not in shown
        assert repr(KEY.secret_hash) not in shown
        assert TOKEN.id in shown


def test_the_secret_opens_and_no_other_does() -> None:
    assert check(KEY, digest(TOKEN.secret), NOW) is None
    assert check(KEY, digest(new_token().secret), NOW) is Rejection.WRONG
    assert check(None, digest(TOKEN.secret), NOW) is Rejection.UNKNOWN


def test_the_old_secret_opens_until_its_time_is_over() -> None:
    new = Token(KEY.id, new_token().secret)
    rotated = replace(
        KEY,
        secret_hash=digest(new.secret),
        previous_hash=KEY.secret_hash,
        previous_until=NOW + SECOND,
    )
    assert check(rotated, digest(new.secret), NOW) is None
    assert check(rotated, digest(TOKEN.secret), NOW) is None
    assert check(rotated, digest(TOKEN.secret), NOW + SECOND) is Rejection.WRONG
    assert check(rotated, digest(new.secret), NOW + SECOND) is None


def test_what_is_over_opens_nothing() -> None:
    expiring = replace(KEY, expires_at=NOW + SECOND)
    assert check(expiring, digest(TOKEN.secret), NOW) is None
    assert check(expiring, digest(TOKEN.secret), NOW + SECOND) is Rejection.EXPIRED
    assert check(replace(KEY, revoked_at=NOW), digest(TOKEN.secret), NOW) is Rejection.REVOKED
    # Who does not know the secret does not learn that.
    assert check(replace(KEY, revoked_at=NOW), digest("x" * 43), NOW) is Rejection.WRONG


def test_zeros_open_nothing() -> None:
    """They stand for the hash that is not there."""
    assert check(None, digest("\0" * 32), NOW) is Rejection.UNKNOWN
    assert check(KEY, digest(""), NOW) is Rejection.WRONG

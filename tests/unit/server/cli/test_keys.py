"""How `taskq-server keys` shows keys, and what it says of words that cannot be."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from taskq_server.cli import _key_view as view
from taskq_server.domain.keys import ApiKey
from tests.unit.server.cli.screen_files import compare, shown

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
WEB = ApiKey(
    id="7HqzT3mVx0Rb",
    name="the web application of the accounting department",
    namespace="default",
    scopes=("tasks:run:reports.*", "tasks:run:invoices.of_the_month.*", "tasks:read"),
    secret_hash=b"S" * 32,
    previous_hash=b"P" * 32,
    previous_until=NOW + timedelta(hours=1),
    rate_limit="600/minute",
    created_at=NOW - timedelta(days=30),
    expires_at=NOW + timedelta(days=30),
    last_used_at=NOW - timedelta(minutes=5),
)
OPS = ApiKey(
    id="000000000000",
    name="x" * 255,
    namespace="*",
    scopes=("admin",),
    secret_hash=b"S" * 32,
    created_at=NOW,
    expires_at=NOW - timedelta(days=1),
)
OLD = ApiKey(
    id="zzzzzzzzzzzz",
    name="old\u202e",
    namespace="n" * 64,
    scopes=(f"tasks:run:{'h' * 128}",),
    secret_hash=b"S" * 32,
    created_at=NOW,
    revoked_at=NOW,
)


@pytest.mark.parametrize("columns", [60, 80])
def test_keys_fit_the_terminal(columns: int) -> None:
    compare(view.listed([WEB, OPS, OLD], NOW, columns) + "\n", "keys", columns)


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("key", [WEB, OPS, OLD], ids=lambda key: key.id)
def test_one_key_fits_the_terminal(key: ApiKey, columns: int) -> None:
    compare(click.unstyle(view.one(key, NOW, columns)) + "\n", f"key-{key.id}", columns)


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("command", ["create", "list", "rotate", "revoke", "show"])
def test_help_fits_the_terminal(command: str, columns: int) -> None:
    done = shown("keys", command, "-h", columns=columns)
    assert done.exit_code == 0
    compare(done.stdout, f"help-keys-{command}", columns)


@pytest.mark.parametrize("command", ["show", "rotate", "revoke"])
@pytest.mark.parametrize("given", ["tq_7HqzT3mVx0Rb_" + "S3CRET" * 7 + "S", "S3CRET", ""])
def test_what_is_no_id_is_not_repeated_because_it_may_be_a_whole_key(
    command: str, given: str
) -> None:
    done = shown("keys", command, given)
    assert done.exit_code == 2
    assert "an id has 12 letters and digits" in done.stderr
    assert "S3CRET" not in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["n"], "Missing option '--scope'"),
        (["n", "--scope", "tasks:reed"], "--scope tasks:reed: there is no such scope: there are"),
        (["n", "--scope", "admin", "--scope", ""], "--scope : there is no such scope"),
        (["n", "--scope", "tasks:run:a b"], "a glob of handler names has 1 to 128"),
        (["", "--scope", "admin"], "NAME: must have 1 to 255 characters"),
        (["a\tb", "--scope", "admin"], "NAME: must have 1 to 255 characters"),
        (["n", "--scope", "admin", "--namespace", "a b"], "--namespace: must have 1 to 64"),
        (["n", "--scope", "admin", "--rate", "600"], "--rate: must be a number, a slash"),
        (["n", "--scope", "admin", "--expires-in", "0"], "'--expires-in': 0.0 is not in the"),
        (["n", "--scope", "admin", "--expires-in", "nan"], "'--expires-in': nan is not in the"),
        (["n", "--scope", "admin", "--expires-in", "inf"], "'--expires-in': inf is not in the"),
        (["n", "--scope", "admin", "--expires-in", "-1"], "'--expires-in': -1.0 is not in the"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str], said: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/taskq.db"
    monkeypatch.setenv("TASKQ_DATABASE_URL", url)
    assert shown("db", "upgrade").exit_code == 0
    done = shown("keys", "create", *words)
    assert said in done.stderr + str(done.exception)
    assert done.stdout == ""


def test_an_overlap_has_bounds() -> None:
    for overlap in ("-1", "nan", "2592001"):
        assert "'--overlap'" in shown("keys", "rotate", "A" * 12, "--overlap", overlap).stderr

"""The document that is kept is the one that a server serves; rules and limits are taken from it."""

from typing import Any

from taskq_client import _limits
from taskq_client.testing import _rules
from taskq_server.domain import limits
from tools import describe_api


def test_the_document_that_is_kept_is_what_a_server_says() -> None:
    kept = describe_api.DOCUMENT.read_text(encoding="utf-8")
    assert kept == describe_api.served_document(), "run: python tools/describe_api.py"


def test_the_rules_are_those_of_the_document() -> None:
    tables: dict[str, Any] = {}
    exec(describe_api.rules_of(describe_api.kept_document()), tables)
    for name in ("SCHEMAS", "OPERATIONS", "PROBLEMS"):
        assert getattr(_rules, name) == tables[name], "run: python tools/describe_api.py"


def test_the_clients_limits_are_those_of_the_server() -> None:
    found: dict[str, Any] = {}
    exec(describe_api.limits_of(describe_api.kept_document()), found)
    for name, limit in (
        ("KEY_LENGTH", limits.IDEMPOTENCY_KEY_LENGTH),
        ("BATCH_ITEMS", limits.BATCH_ITEMS),
        ("WAIT_IDS", limits.WAIT_IDS),
        ("STREAM_SECONDS", limits.STREAM_SECONDS),
    ):
        assert getattr(_limits, name) == found[name] == limit, "run: python tools/describe_api.py"

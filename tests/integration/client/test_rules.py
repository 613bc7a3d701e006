"""The document that is kept is the one that a server serves, and the fake's rules are taken out."""

from typing import Any

from taskq_client.testing import _rules
from tools import describe_api


def test_the_document_that_is_kept_is_what_a_server_says() -> None:
    kept = describe_api.DOCUMENT.read_text(encoding="utf-8")
    assert kept == describe_api.served_document(), "run: python tools/describe_api.py"


def test_the_rules_are_those_of_the_document() -> None:
    tables: dict[str, Any] = {}
    exec(describe_api.rules_of(describe_api.kept_document()), tables)
    for name in ("SCHEMAS", "OPERATIONS", "PROBLEMS"):
        assert getattr(_rules, name) == tables[name], "run: python tools/describe_api.py"

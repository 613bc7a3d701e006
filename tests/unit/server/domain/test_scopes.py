"""What scopes allow."""

import pytest

from taskq_server.domain import scopes
from taskq_server.domain.scopes import may_run, not_granted, problem


@pytest.mark.parametrize(
    "scope", [*sorted(scopes.PLAIN), "tasks:run:*", "tasks:run:reports.*", "tasks:run:a/b:c_*"]
)
def test_there_are_these(scope: str) -> None:
    assert problem(scope) is None


@pytest.mark.parametrize(
    "scope",
    [
        *("", "*", "tasks", "tasks:", "tasks:Read", "tasks:read ", "admin:*", "tasks:run", "Admin"),
        *("tasks:run:", "tasks:run:[ab]", "tasks:run:a?", "tasks:run:a b", "tasks:run:ä"),
        *("tasks:run:" + "a" * 129, "tasks:run:" + "*a" * 9, "tasks:run:a\n", "tasks:run:(a|b)"),
    ],
)
def test_there_are_no_others(scope: str) -> None:
    assert problem(scope) is not None


@pytest.mark.parametrize(
    ("glob", "handler", "expected"),
    [
        ("reports.*", "reports.build", True),
        ("reports.*", "reports.", True),
        ("reports.*", "reports", False),
        ("reports.*", "my.reports.build", False),
        ("reports.*", "Reports.build", False),
        ("*", "anything", True),
        ("*.build", "reports.build", True),
        ("team/*:v1", "team/build:v1", True),
        ("*.build", "reports.build.all", False),
        ("reports.build", "reports.build", True),
        ("reports.build", "reportsxbuild", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c", False),
    ],
)
def test_globs_match_whole_names(glob: str, handler: str, expected: bool) -> None:
    assert may_run([scopes.READ, f"tasks:run:{glob}"], handler) is expected


def test_no_other_scope_lets_anyone_run() -> None:
    assert not may_run(scopes.PLAIN, "reports.build")


@pytest.mark.parametrize(
    ("mine", "wanted", "missing"),
    [
        (["admin"], ["admin"], []),
        (["admin"], ["tasks:read", "admin"], ["tasks:read"]),
        (["tasks:run:*"], ["tasks:run:a.*", "tasks:run:b"], []),
        (["tasks:run:a.*"], ["tasks:run:a.b*", "tasks:run:a.*"], []),
        (["tasks:run:a.*"], ["tasks:run:*", "tasks:run:b.*"], ["tasks:run:*", "tasks:run:b.*"]),
        (["tasks:run:*b"], ["tasks:run:*"], ["tasks:run:*"]),
    ],
)
def test_nobody_gives_more_than_there_is(
    mine: list[str], wanted: list[str], missing: list[str]
) -> None:
    assert not_granted(mine, wanted) == missing

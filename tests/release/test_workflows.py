"""The workflows do what they should, and may do nothing else."""

import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.release.sessions import called, default_sessions, read_yaml, sessions
from tests.support.processes import ROOT

WORKFLOWS = sorted(path.name for path in (ROOT / ".github" / "workflows").iterdir())
PACKAGES = sorted(path.name for path in (ROOT / "packages").iterdir())


def workflow(name: str) -> dict[str, Any]:
    """A workflow; YAML reads its `on` as True."""
    found: dict[Any, Any] = read_yaml(f".github/workflows/{name}")
    return {"on": found.pop(True), **found}


def jobs(name: str) -> Iterator[dict[str, Any]]:
    yield from workflow(name)["jobs"].values()


def commands(job: dict[str, Any]) -> Iterator[str]:
    """The commands of a job, once for each combination of its matrix."""
    matrix = job.get("strategy", {}).get("matrix", {})
    for values in itertools.product(*matrix.values()):
        for step in job["steps"]:
            line = step.get("run", "")
            for name, value in zip(matrix, values, strict=True):
                line = line.replace("${{ matrix.%s }}" % name, value)  # noqa: UP031
            yield line


def test_there_is_one_for_each_push_and_one_for_each_tag() -> None:
    assert WORKFLOWS == ["ci.yml", "release.yml"]
    assert workflow("ci.yml")["on"]["push"] == {"branches": ["**"]}
    assert workflow("release.yml")["on"] == {"push": {"tags": ["v*"]}}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_sessions_that_it_calls_exist(name: str) -> None:
    named = [one for job in jobs(name) for line in commands(job) for one in called(line)]
    assert named
    assert set(named) <= sessions()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_each_push_runs_all_that_is_checked() -> None:
    named = {one for job in jobs("ci.yml") for line in commands(job) for one in called(line)}
    assert named >= {*default_sessions(), "floors", "smoke", "image", "coverage", "public_api"}


def test_pictures_of_pages_are_kept_of_failures_too() -> None:
    (job,) = jobs("ci.yml")
    *_, last = job["steps"]
    assert "browser" in job["strategy"]["matrix"]["sessions"]
    assert last["uses"].startswith("actions/upload-artifact@")
    assert last["if"] == "${{ !cancelled() && matrix.sessions == 'browser' }}"
    assert last["with"]["path"] == ".nox/screenshots/"
    assert last["with"]["include-hidden-files"]


def test_a_release_is_checked_before_it_is_published() -> None:
    build = workflow("release.yml")["jobs"]["build"]
    *checks, last = (line for line in commands(build) if line)
    assert {one for line in checks for one in called(line)} >= {*default_sessions(), "smoke"}
    assert called(last) == ["build"]
    assert last.startswith('.ci/run -s build -- "$GITHUB_REF_NAME"')


@pytest.mark.parametrize("name", WORKFLOWS)
def test_it_has_the_least_rights_and_no_secret(name: str) -> None:
    text = (ROOT / ".github" / "workflows" / name).read_text("utf-8")
    assert not re.search(r"secrets|password|token:(?! write)|pull_request_target", text)
    whole = workflow(name)
    assert whole["permissions"] in ({}, {"contents": "read"})
    for job_name, job in whole["jobs"].items():
        writes = [one for one, right in job.get("permissions", {}).items() if right != "read"]
        assert writes == (["id-token"] if job_name == "publish" else [])
        assert job["timeout-minutes"] <= 60
        assert "${{" not in "".join(commands(job)), "an expression in a command may be injected"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_by_their_whole_version(name: str) -> None:
    used = [step["uses"] for job in jobs(name) for step in job["steps"] if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+\.\d+\.\d+", one)] == []
    for job in jobs(name):
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_it_publishes_by_trusted_publishing_what_was_built_and_checked() -> None:
    publish = workflow("release.yml")["jobs"]["publish"]
    assert publish["needs"] == "build"
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "pypi-${{ matrix.package }}"
    assert sorted(publish["strategy"]["matrix"]["package"]) == PACKAGES
    download, upload = publish["steps"]  # and nothing that runs code of the repository
    assert download["uses"].startswith("actions/download-artifact@")
    assert upload["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert upload["with"] == {"packages-dir": "dist/${{ matrix.package }}/"}
    kept = workflow("release.yml")["jobs"]["build"]["steps"][-1]["with"]
    assert (kept["name"], kept["path"]) == (download["with"]["name"], download["with"]["path"])


def test_commits_are_checked_by_the_lint_of_nox() -> None:
    (repo,) = read_yaml(".pre-commit-config.yaml")["repos"]
    (hook,) = repo["hooks"]
    assert repo["repo"] == "local"
    assert called(hook["entry"]) == ["lint"]
    assert (hook["language"], hook["pass_filenames"]) == ("system", False)


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
QUESTIONS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


@pytest.mark.parametrize(
    "path", [one for one in FORMS if one.stem != "config"], ids=lambda p: p.stem
)
def test_issue_forms_are_those_of_github(path: Any) -> None:
    form = read_yaml(str(path.relative_to(ROOT)))
    assert form.keys() >= {"name", "description", "body"}
    ids = [one["id"] for one in form["body"] if one["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    for one in form["body"]:
        assert one["type"] in QUESTIONS
        assert one["attributes"]["value" if one["type"] == "markdown" else "label"].strip()
        assert one.keys() <= {"type", "id", "attributes", "validations"}


def test_there_are_issue_forms() -> None:
    assert {path.stem for path in FORMS} == {"bug", "config", "idea"}
    assert read_yaml(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": True}

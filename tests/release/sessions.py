"""The sessions of the noxfile, and where other files call them."""

import ast
import itertools
import re
import tomllib
from typing import Any

import yaml

from tests.support.processes import ROOT

_NOXFILE = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))


def sessions() -> set[str]:
    """The names of the sessions."""
    return {
        node.name
        for node in _NOXFILE.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(one).startswith("nox.session") for one in node.decorator_list)
    }


def default_sessions() -> list[str]:
    """The names of the sessions that `nox` without arguments runs."""
    (value,) = (
        node.value
        for node in _NOXFILE.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "nox.options.sessions"
    )
    return list(ast.literal_eval(value))


def called(command: str) -> list[str]:
    """The sessions that a line of a shell runs by nox or by `.ci/run`."""
    found = re.search(r"(?:^|\s)(?:nox|\.ci/run)((?: [\w./\"$-]+)*)", command)
    if found is None:
        return []
    words = list(itertools.takewhile(lambda word: word != "--", found[1].split()))
    if "-s" not in words:
        return default_sessions()
    named = words[words.index("-s") + 1 :]
    return list(itertools.takewhile(lambda word: not word.startswith("-"), named))


def read_yaml(path: str) -> Any:
    """What a YAML file of the repository says."""
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def project(package: str) -> dict[str, Any]:
    """What the pyproject.toml of a distribution says about it."""
    text = (ROOT / "packages" / package / "pyproject.toml").read_text("utf-8")
    found: dict[str, Any] = tomllib.loads(text)["project"]
    return found

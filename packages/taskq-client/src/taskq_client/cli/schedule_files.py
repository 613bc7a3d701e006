"""Files of schedules: YAML or JSON, with what `PUT /schedules/{name}` takes by name."""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import click

from taskq_client._requests import OF_A_SCHEDULE, schedule_path

Wanted = Mapping[str, dict[str, Any]]
"""The fields of each schedule by its name, those of its task beside its own."""

_DECLARED = "code:"
_WITHOUT_YAML = "YAML needs PyYAML: install 'taskq-client[yaml]', or write the schedules as JSON"


def read(name: str, text: bytes) -> Wanted:
    """Read the schedules of a file.

    Args:
        name: The name of the file; one that ends in `.json`, or begins with a brace, is JSON.
        text: What is in it.

    Raises:
        click.UsageError: It cannot be read, or is no file of schedules.
        InvalidRequest: A name is none that a schedule can have.
    """
    is_json = PurePath(name).suffix.lower() == ".json" or text.lstrip()[:1] == b"{"
    document = (_json if is_json else _yaml)(name, text)
    if not isinstance(document, dict) or list(document) != ["schedules"]:
        raise _wrong(name, "it has schedules: and nothing else, with one entry for each name")
    entries = document["schedules"]
    if not isinstance(entries, dict):
        raise _wrong(name, "schedules: has one entry for each name")
    return {str(each): _flat(name, str(each), entry) for each, entry in entries.items()}


def _flat(file: str, name: str, entry: object) -> dict[str, Any]:
    if name.startswith(_DECLARED):
        raise _wrong(file, f"{name} is declared in code, and is changed there")
    schedule_path(name)  # which raises if it is none
    if not isinstance(entry, dict) or not isinstance(entry.get("task"), dict):
        raise _wrong(file, f"{name} needs a task: with its handler:")
    own = {key: value for key, value in entry.items() if key != "task"}
    task: dict[str, Any] = entry["task"]
    if unknown := [key for key in own if key not in OF_A_SCHEDULE]:
        raise _wrong(file, f"{name} has {unknown[0]!r}, which no schedule has")
    if misplaced := [key for key in task if key in OF_A_SCHEDULE]:
        raise _wrong(file, f"{name}: {misplaced[0]} belongs beside task:, not into it")
    if not isinstance(task.get("handler"), str):
        raise _wrong(file, f"{name}: task: needs a handler:")
    return {**own, **task}


def _json(name: str, text: bytes) -> object:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _check_once(name, (key for key, _ in pairs))
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _wrong(name, f"not JSON: {error}") from None


def _yaml(name: str, text: bytes) -> object:
    try:
        import yaml
    except ImportError:
        raise click.UsageError(f"cannot read {name!r}: {_WITHOUT_YAML}") from None
    try:
        pending = [yaml.compose(text, Loader=yaml.SafeLoader)]
        while pending:  # a mapping keeps the last of equal keys, and says nothing
            node = pending.pop()
            if isinstance(node, yaml.MappingNode):
                _check_once(name, (key.value for key, _ in node.value if key.value != "<<"))
                pending += [value for _, value in node.value]
            elif isinstance(node, yaml.SequenceNode):
                pending += node.value
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        hint = "; a cron that begins with * needs quotes" if "alias" in str(error) else ""
        raise _wrong(name, f"not YAML: {' '.join(str(error).split())}{hint}") from None


def _check_once(file: str, keys: Iterator[Any]) -> None:
    seen = set()
    for key in map(str, keys):
        if key in seen:
            raise _wrong(file, f"{key!r} is there twice")
        seen.add(key)


def _wrong(file: str, why: str) -> click.UsageError:
    return click.UsageError(f"{file}: {why}")

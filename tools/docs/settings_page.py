"""docs/settings.md, from `Settings`."""

from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from taskq_client._settings import DEFAULT_TIMEOUT, DEFAULT_URL
from taskq_server import Settings
from tools.docs.markdown import table

SECTIONS: dict[str, tuple[str, ...]] = {
    "Database": (
        *("database_url", "database_pool_size", "database_connect_seconds"),
        "database_timeout_seconds",
    ),
    "Redis": ("redis_url", "redis_prefix", "wait_poll_seconds"),
    "API": (
        *("host", "port", "auth", "insecure_no_auth", "admin_key_file"),
        *("allowed_hosts", "cors_origins"),
        *("rate_limit", "max_waits_per_key", "max_auth_failures"),
        *("root_path", "trusted_proxies", "max_body_bytes", "max_batch_bytes"),
    ),
    "Worker": (
        *("handlers", "builtin_handlers", "namespaces", "queues", "concurrency", "threads"),
        *("processes", "quarantine_processes", "lease_seconds", "janitor_seconds"),
        *("poll_seconds", "drain_seconds", "cancel_grace_seconds", "block_seconds"),
        "hook_seconds",
    ),
    "Tasks": (
        *("namespace", "max_retries", "timeout_seconds", "retention_days"),
        *("max_payload_bytes", "max_payload_values", "max_result_bytes", "max_traceback_bytes"),
        *("max_queues", "max_tags", "max_waiting"),
    ),
    "Process": ("data_dir", "log_level"),
}
"""Which setting is told where; one that is in no section has one of its own at the end."""

OTHERS = "Others"
UNITS = {"seconds": "seconds", "days": "days", "bytes": "bytes"}

HEAD = """\
# Settings

Every process of taskq reads its settings from environment variables, which are listed here.

Times are seconds, sizes are bytes, lists are separated by commas. An option of a command, where \
there is one, goes before its variable ([the commands](cli.md)). An empty variable is one that is \
not set. A value that cannot be used stops the process with one sentence that names the variable; \
a variable that begins with `TASKQ_` and means nothing is logged, unless it is one that Kubernetes \
injects (`TASKQ_PORT=tcp://…` as well). All API processes and workers of one taskq have the same \
`TASKQ_DATABASE_URL`, `TASKQ_REDIS_URL` and `TASKQ_REDIS_PREFIX`.
"""

CLIENT = f"""\
## Client

| Variable | Default | Values | Meaning |
| --- | --- | --- | --- |
| `TASKQ_URL` | `{DEFAULT_URL}` | URL | where the server is, with the prefix of its proxy |
| `TASKQ_API_KEY` |  | text | the [key](keys.md) to show, sent as a bearer token |
| `TASKQ_TIMEOUT` | `{DEFAULT_TIMEOUT:g}` | seconds | how long the client waits for an answer |
"""


def page() -> str:
    """Return the page."""
    fields = dict(Settings.model_fields)
    sections = {
        heading: [name for name in names if name in fields] for heading, names in SECTIONS.items()
    }
    told = {name for names in sections.values() for name in names}
    sections[OTHERS] = [name for name in fields if name not in told]
    parts = [
        f"## {heading}\n\n{_table({name: fields[name] for name in names})}"
        for heading, names in sections.items()
        if names
    ]
    return "\n".join([HEAD, *parts, CLIENT])


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = [
        (f"`TASKQ_{name.upper()}`", shown(field.default), values(name, field), field.description)
        for name, field in fields.items()
    ]
    return table(
        ("Variable", "Default", "Values", "Meaning"),
        [(name, default, allowed, meaning or "") for name, default, allowed, meaning in rows],
    )


def shown(default: object) -> str:
    """Return a default as it would be written; nothing where there is none."""
    if default in (None, (), ""):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`{','.join(default)}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def values(name: str, field: FieldInfo) -> str:
    """Return the kind of the values of a setting, with their bounds and their unit."""
    kind: Any = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if kind is bool:
        return "`true` or `false`"
    if get_origin(kind) is tuple:
        return "list"
    if kind not in (int, float):
        return "URL" if name.endswith("_url") else "text"
    unit = UNITS.get(name.rpartition("_")[2], "")
    return " ".join([*_bounds(field.metadata), unit]).strip() or "number"


def _without_none(annotation: Any) -> Any:
    """Return the type of a setting that may be left out."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    kinds = [each for each in get_args(annotation) if each is not NoneType]
    return kinds[0] if len(kinds) == 1 else annotation


def _bounds(metadata: Sequence[object]) -> Iterator[str]:
    lowest = highest = ""
    for bound in metadata:
        match bound:
            case annotated_types.Ge(ge=limit):
                lowest = f"{limit:,}"
            case annotated_types.Gt(gt=limit):
                lowest = f"more than {limit:,}"
            case annotated_types.Le(le=limit):
                highest = f"{limit:,}"
            case _:
                pass
    if lowest and highest:
        yield f"{lowest} to {highest}" if lowest[0].isdigit() else f"{lowest}, up to {highest}"
    elif lowest:
        yield f"{lowest} or more"

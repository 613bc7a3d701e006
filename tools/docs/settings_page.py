"""docs/settings.md, from `Settings`."""

from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from taskq_client._settings import DEFAULT_TIMEOUT, DEFAULT_URL
from taskq_server import Settings
from taskq_server.core.settings.access import AccessSettings
from taskq_server.core.settings.api import ApiSettings
from taskq_server.core.settings.dashboard import DashboardSettings
from taskq_server.core.settings.database import DatabaseSettings
from taskq_server.core.settings.group import Group
from taskq_server.core.settings.logs import LogSettings
from taskq_server.core.settings.process import ProcessSettings
from taskq_server.core.settings.redis import RedisSettings
from taskq_server.core.settings.tasks import TaskSettings
from taskq_server.core.settings.work import WorkSettings
from tools.docs.markdown import table

SECTIONS: dict[str, tuple[type[Group], ...]] = {
    "Database": (DatabaseSettings,),
    "Redis": (RedisSettings,),
    "API": (ApiSettings, AccessSettings, DashboardSettings),
    "Worker": (WorkSettings,),
    "Tasks": (TaskSettings,),
    "Process": (ProcessSettings, LogSettings),
}
"""Which settings are told where; one that is in no section has one of its own at the end."""

OTHERS = "Others"
UNITS = {"seconds": "seconds", "days": "days", "bytes": "bytes"}

HEAD = """\
# Settings

Every process of taskq reads its settings from environment variables, which are listed here.

Times are seconds, sizes are bytes, lists are separated by commas. An option of a command, where \
there is one, goes before its variable ([the commands](cli.md)). An empty variable is one that is \
not set. A value that cannot be used stops the process with one sentence that names the variable; \
a variable that begins with `TASKQ_` and means nothing is logged, unless it is one that Kubernetes \
injects (`TASKQ_PORT=tcp://…` as well). No file is read. `taskq-server settings` prints what is in \
force and where it comes from. All API processes and workers of one taskq have the same \
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
        heading: [name for group in groups for name in group.model_fields]
        for heading, groups in SECTIONS.items()
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
        return f"`{','.join(map(str, default))}`"
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

"""Settings of every process."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from taskq_server.core.settings.group import Group


class ProcessSettings(Group):
    """What every process has."""

    data_dir: Path = Field(Path(".taskq"), description="folder in which `dev` keeps its tasks")
    trace: Literal["auto", "off"] = Field(
        "auto",
        description="whether to make spans of OpenTelemetry: `auto`, if the process has an SDK, or "
        "`off`; a `traceparent` is kept with its task either way",
    )

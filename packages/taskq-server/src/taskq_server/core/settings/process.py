"""Settings of every process."""

from pathlib import Path

from pydantic import Field

from taskq_server.core.settings.group import Group


class ProcessSettings(Group):
    """What every process has."""

    data_dir: Path = Field(Path(".taskq"), description="folder in which `dev` keeps its tasks")

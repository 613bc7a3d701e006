"""Settings of every process."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from taskq_server.core.settings.group import Group


class ProcessSettings(Group):
    """What every process has: its folder, and what it tells."""

    data_dir: Path = Field(Path(".taskq"), description="folder in which `dev` keeps its tasks")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="lowest level to log"
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

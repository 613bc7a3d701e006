"""Settings of the log."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from taskq_server.core.settings.group import Group


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]


class LogSettings(Group):
    """What every process tells, and how."""

    log_level: Level = Field("INFO", description="lowest level to log")
    log_format: Annotated[Literal["auto", "json", "console"], BeforeValidator(_lower)] = Field(
        "auto",
        description="`json`, `console` for readable lines, or `auto`, which is readable on a "
        "terminal and JSON elsewhere",
    )
    access_log: bool = Field(
        False, description="whether `api` and `dev` log a line for each request that is answered"
    )
    log_starts: Level = Field(
        "DEBUG", description="level of the line for each attempt that a worker starts"
    )
    log_ends: Level = Field(
        "INFO", description="level of the line for each task that succeeds or is cancelled"
    )
    log_retries: Level = Field(
        "INFO", description="level of the line for each attempt that failed and is tried again"
    )
    log_failures: Level = Field(
        "WARNING", description="level of the line for each task that failed for good"
    )

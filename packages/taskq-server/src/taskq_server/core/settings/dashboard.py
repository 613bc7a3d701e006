"""Settings of the dashboard."""

from typing import Literal

from pydantic import Field, field_validator

from taskq_server.core import proxies
from taskq_server.core.settings.group import Group


class DashboardSettings(Group):
    """Whether there is a dashboard, where, and for how long a sign-in lasts."""

    dashboard: Literal["on", "off", "read-only"] = Field(
        "on", description="whether the API serves the dashboard; `read-only` changes nothing"
    )
    dashboard_path: str = Field(
        "/dashboard", description="path under which the API serves the dashboard"
    )
    session_hours: float = Field(
        12.0,
        gt=0,
        le=8_760,
        description="how long a sign-in to the dashboard lasts; it ends with its key in any case",
    )

    @field_validator("dashboard_path")
    @classmethod
    def _path_of_dashboard(cls, value: str) -> str:
        path = proxies.path_prefix(value)
        if not path:
            raise ValueError("must be a path below the root, such as `/dashboard`")
        return path

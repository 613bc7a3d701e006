"""Settings of the API."""

from pathlib import Path

from pydantic import Field, field_validator

from taskq_server.core import origins, proxies
from taskq_server.core.addresses import is_loopback
from taskq_server.core.settings.group import Group
from taskq_server.core.settings.lists import Names, Networks


class ApiSettings(Group):
    """Where the API listens, and what it reads."""

    host: str = Field("127.0.0.1", description="address that `api` and `dev` listen on")
    port: int = Field(
        8000,
        ge=0,
        le=65_535,
        description="port that `api` and `dev` listen on; 0 takes a free one",
    )
    uds: Path | None = Field(
        None,
        description="file of a Unix socket that `api` and `dev` listen on in place of host and "
        "port; its user and group may open it",
    )
    allowed_hosts: Names = Field(
        (),
        description="hosts besides loopback that requests may name, separated by commas; `*.` in "
        "front stands for all names below",
    )
    cors_origins: Names = Field(
        (),
        description="origins of other sites whose pages may use the API, such as "
        "`https://app.example.com`, separated by commas",
    )
    root_path: str = Field(
        "", description="prefix under which a proxy serves the API, such as `/queue`"
    )
    trusted_proxies: Networks = Field(
        (),
        description="addresses and networks of proxies whose `X-Forwarded-Prefix` names the "
        "prefix, whose `X-Forwarded-For` names callers and whose `X-Forwarded-Proto` says whether "
        "they came over https, separated by commas",
    )
    max_body_bytes: int = Field(1_048_576, ge=1_024, description="largest request body")
    max_batch_bytes: int = Field(8_388_608, ge=1_024, description="largest body of a batch")

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches where the API listens."""
        return self.uds is not None or is_loopback(self.host)

    @field_validator("allowed_hosts")
    @classmethod
    def _plain_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origins.host(each) for each in value)

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origins.origin(each) for each in value)

    @field_validator("root_path")
    @classmethod
    def _plain_path(cls, value: str) -> str:
        return proxies.path_prefix(value)

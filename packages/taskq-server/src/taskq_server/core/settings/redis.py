"""Settings of Redis."""

import re

from pydantic import Field, SecretStr, field_validator

from taskq_server.core import urls
from taskq_server.core.settings.group import Group

_REDIS_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class RedisSettings(Group):
    """Redis, and how to live without it."""

    redis_url: SecretStr | None = Field(
        None, description="`redis://host:6379/0` or `unix:///socket`"
    )
    redis_prefix: str = Field("taskq", description="prefix of the names of all keys and channels")
    wait_poll_seconds: float = Field(
        2.0,
        gt=0,
        le=30,
        description="time between two reads of a waiter without a message from Redis",
    )

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            urls.check_redis(value.get_secret_value())
        return value

    @field_validator("redis_prefix")
    @classmethod
    def _plain_prefix(cls, value: str) -> str:
        if not _REDIS_PREFIX.fullmatch(value):
            raise ValueError("must be 1 to 64 letters, digits, or any of _ . : -")
        return value

"""Settings of the database."""

from pydantic import Field, SecretStr, field_validator

from taskq_server.core import dialects
from taskq_server.core.settings.group import Group


class DatabaseSettings(Group):
    """The database, and how long to wait for it."""

    database_url: SecretStr = Field(  # type: ignore[assignment]  # its default is validated
        "sqlite+aiosqlite:///.taskq/taskq.db",
        description="`mysql+asyncmy://user:password@host/name` or `sqlite+aiosqlite:///file`",
    )
    database_pool_size: int = Field(8, ge=1, le=200, description="connections of one process")
    database_connect_seconds: float = Field(
        1.5,
        gt=0,
        le=60,
        description="how long to wait for a database connection, and for the answer of a database "
        "that may hang",
    )
    database_timeout_seconds: float = Field(
        30.0, gt=0, le=3600, description="time limit of one transaction"
    )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        dialects.check_url(value.get_secret_value())
        return value

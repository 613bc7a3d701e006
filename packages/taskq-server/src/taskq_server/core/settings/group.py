"""What all groups of settings have in common."""

from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from taskq_server.core import environment


class Group(BaseSettings):
    """Settings of one subject. `Settings` inherits from all of them."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the given values first, then those of `core.environment`."""
        found = environment.read(cls.model_fields)
        return init_settings, InitSettingsSource(settings_cls, found)

"""Settings that are lists: text between commas."""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from taskq_server.core import proxies


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]

Networks = Annotated[
    tuple[Annotated[proxies.Network, BeforeValidator(proxies.network)], ...],
    NoDecode,
    BeforeValidator(_split),
]

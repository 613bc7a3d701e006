"""Keys for tests: rows as the server stores them, and the headers that show them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from taskq_server.crud import api_keys
from taskq_server.domain.keys import ApiKey, Token, digest, new_token
from taskq_server.runtime import Runtime
from tests.support.keys import shown

__all__ = ["make_key", "shown"]


async def make_key(
    runtime: Runtime, *scopes: str, namespace: str = "default", **changes: Any
) -> Token:
    """Store a key with some scopes."""
    token = new_token()
    key = ApiKey(
        id=token.id,
        name="a test's",
        namespace=namespace,
        scopes=scopes,
        secret_hash=digest(token.secret),
        created_at=runtime.clock() - timedelta(seconds=1),
    )
    await runtime.database.write(lambda c: api_keys.add(c, replace(key, **changes)))
    return token

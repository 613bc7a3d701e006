"""An operator's first key, out of a file: `TASKQ_ADMIN_KEY_FILE`.

It opens from the first moment, and is a row once the database is there. From then on the row
counts: a key that was rotated or revoked stays so, whatever the file says.
"""

import logging
import os
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from taskq_server.core.config import Settings
from taskq_server.core.database import Database, DatabaseError, Violation
from taskq_server.crud import api_keys
from taskq_server.domain import keys, scopes
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.errors import ConfigurationError, DatabaseUnavailable
from taskq_server.domain.keys import ApiKey, Token

_MOST_BYTES = 200
_OTHERS_MAY_WRITE = 0o022  # containers mount secrets so that all of them may read

_log = logging.getLogger("taskq.server.keys")


def of(settings: Settings) -> Token | None:
    """Return the key in the file that the settings name; None if they name none.

    Raises:
        ConfigurationError: the file cannot be read, is open to others, or holds no key.
    """
    path = settings.admin_key_file
    if path is None:
        return None
    token = keys.parse(_text(path))
    if token is None:
        raise _unusable(
            f"{path} must hold one whole key and nothing else: tq_, 12 letters or digits, _, and "
            "43 letters, digits, _ or -"
        )
    return token


def as_key(token: Token, now: datetime) -> ApiKey:
    """Return the operator's key with this secret."""
    return ApiKey(
        id=token.id,
        name="TASKQ_ADMIN_KEY_FILE",
        namespace=ALL_NAMESPACES,
        scopes=(scopes.ADMIN,),
        secret_hash=keys.digest(token.secret),
        created_at=now,
    )


class AdminKey:
    """The key of the file, on its way into the database.

    Args:
        token: the whole key.
        database: holds the keys.
        clock: aware UTC.
    """

    def __init__(self, token: Token, database: Database, clock: Callable[[], datetime]) -> None:
        self._token = token
        self._database = database
        self._clock = clock
        self._has_said = False

    async def store(self) -> bool:
        """Store the key unless it is there; return False if the database cannot do that now."""
        key_id = self._token.id
        try:
            now = self._clock()
            stored = (await self._database.read(lambda c: api_keys.by_id(c, [key_id]))).get(key_id)
            if stored is None:
                new = as_key(self._token, now)
                await self._database.write(lambda c: api_keys.add(c, new))
                _log.info("the key %s of TASKQ_ADMIN_KEY_FILE is stored", key_id)
            else:
                self._warn(stored, now)
        except (DatabaseUnavailable, Violation):
            return False  # it is away, or another process was faster
        except DatabaseError:
            return False  # its schema is older
        return True

    def _warn(self, stored: ApiKey, now: datetime) -> None:
        rejection = keys.check(stored, keys.digest(self._token.secret), now)
        if rejection is not None and not self._has_said:
            self._has_said = True
            _log.warning(
                "the key %s of TASKQ_ADMIN_KEY_FILE opens nothing: %s", stored.id, rejection.value
            )


def _text(path: Path) -> str:
    try:
        # A pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise _unusable(f"{path} is no file")
            if mode & _OTHERS_MAY_WRITE:
                raise _unusable(
                    f"{path} has the mode {stat.S_IMODE(mode):03o}, so others may write their own "
                    "key into it: take that from them with chmod go-w"
                )
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _unusable(f"{path} cannot be read: {error.strerror}") from None
    return raw.decode("latin-1").strip() if len(raw) <= _MOST_BYTES else ""


def _unusable(sentence: str) -> ConfigurationError:
    return ConfigurationError(f"TASKQ_ADMIN_KEY_FILE: {sentence}")

"""Every setting of the server, read once from arguments and the environment."""

from collections.abc import Collection
from typing import Any, Self

from pydantic import ValidationError

from taskq_server.core import environment
from taskq_server.core.settings.access import AccessSettings
from taskq_server.core.settings.api import ApiSettings
from taskq_server.core.settings.dashboard import DashboardSettings
from taskq_server.core.settings.database import DatabaseSettings
from taskq_server.core.settings.logs import LogSettings
from taskq_server.core.settings.process import ProcessSettings
from taskq_server.core.settings.redis import RedisSettings
from taskq_server.core.settings.tasks import TaskSettings
from taskq_server.core.settings.work import WorkSettings
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.naming import no_such_namespace


class Settings(  # pydantic lists the fields of the last base first
    LogSettings,
    ProcessSettings,
    AccessSettings,
    DashboardSettings,
    ApiSettings,
    TaskSettings,
    WorkSettings,
    RedisSettings,
    DatabaseSettings,
):
    """All settings. Each one is also an environment variable, `TASKQ_` and its name in capitals.

    Times are seconds, sizes are bytes. URLs are secrets, because they may contain a password;
    `get_secret_value()` returns one. `core.settings` has one module for each subject.
    """

    @property
    def served_namespaces(self) -> tuple[str, ...]:
        """The namespaces whose tasks a worker runs, each once; `*` alone stands for all."""
        return tuple(dict.fromkeys(self.namespaces or (self.namespace,)))

    def missing_namespace(self, made: Collection[str]) -> str | None:
        """Return a sentence about a namespace that is named here, and that nobody made.

        Args:
            made: the names of all namespaces of the deployment.
        """
        for variable, names in (
            ("TASKQ_NAMESPACE", (self.namespace,)),
            ("TASKQ_NAMESPACES", self.namespaces),
        ):
            for name in names:
                if name not in (*made, ALL_NAMESPACES):
                    sentence = no_such_namespace(name, made)
                    return f"{variable}: {sentence} (`taskq-server namespaces create` makes one)"
        return None

    @property
    def may_open(self) -> bool:
        """Whether the API asks for no key until the first is made.

        It never opens on a Unix socket, because who opens one is nearly always a proxy for others.
        """
        return self.asks_for_keys == "auto" and self.is_local and self.uds is None

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment; an override that is None counts as not given.

        Raises:
            ConfigurationError: a value cannot be used; the message names the variable.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors()[0]
            name = environment.variable("_".join(str(part) for part in first["loc"][:1]) or "auth")
            sentence = f"{name}: {first['msg'].removeprefix('Value error, ')}"
        raise ConfigurationError(sentence)  # not from the error, because that contains the value

"""Every setting of the server, read once from arguments and the environment."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from taskq_server.core import cpus, dialects, environment, origins, proxies, urls
from taskq_server.domain import limits
from taskq_server.domain.caller import ALL_NAMESPACES
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.naming import is_name
from taskq_server.domain.rate_limits import RateLimit

_REDIS_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

_NAMESPACE = re.compile(rf"\S{{1,{limits.NAMESPACE_LENGTH}}}")

Names = Annotated[tuple[str, ...], NoDecode]
Networks = Annotated[
    tuple[Annotated[proxies.Network, BeforeValidator(proxies.network)], ...], NoDecode
]

Rate = Annotated[str, AfterValidator(lambda text: str(RateLimit.parse(text)))]


class Settings(BaseSettings):
    """All settings. Each one is also an environment variable, `TASKQ_` and its name in capitals.

    Times are seconds, sizes are bytes. URLs are secrets, because they may contain a password;
    `get_secret_value()` returns one.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

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
    redis_url: SecretStr | None = Field(
        None, description="`redis://host:6379/0` or `unix:///socket`"
    )
    redis_prefix: str = Field("taskq", description="prefix of the names of all keys and channels")
    namespace: str = Field(
        "default",
        min_length=1,
        max_length=limits.NAMESPACE_LENGTH,
        pattern=r"^\S+$",
        description="namespace of the API's tasks, and of a worker's tasks unless "
        "`TASKQ_NAMESPACES` names others",
    )

    handlers: Names = Field((), description="modules with handlers, separated by commas")
    builtin_handlers: bool = Field(
        False,
        description="whether workers have `taskq.echo`, `taskq.sleep` and `taskq.flaky`, for "
        "trying things out; true by default for `dev`",
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
    namespaces: Names = Field(
        (),
        description="namespaces whose tasks a worker runs, separated by commas; `*` means all, "
        "those too that are made later; empty means `TASKQ_NAMESPACE` alone",
    )
    queues: Names = Field(("default",), description="queues that a worker listens to")
    concurrency: int = Field(
        100, ge=1, le=10_000, description="most attempts that a worker runs at once"
    )
    threads: int = Field(
        8,
        ge=1,
        le=1_000,
        description="threads for sync handlers of a worker; tasks beyond that stay queued, also "
        "for other workers",
    )
    processes: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="processes per worker for handlers with `process=True`, started with it; tasks "
        "beyond that stay queued; empty means one for each CPU that the worker may use",
    )
    quarantine_processes: int = Field(
        4,
        ge=1,
        le=1_000,
        description="extra processes per worker for tasks whose previous worker died: tasks that "
        "lost one worker share up to this number, tasks that lost two get one each, up to as many "
        "again, and the validation of recursive payloads takes up to as many again",
    )
    lease_seconds: float = Field(
        10.0, ge=0.5, le=600, description="how long a worker keeps its tasks without a heartbeat"
    )
    janitor_seconds: float = Field(
        1.0, gt=0, le=60, description="time between two sweeps of the janitor"
    )
    poll_seconds: float = Field(
        0.5, gt=0, le=10, description="longest sleep of an idle worker without a doorbell"
    )
    drain_seconds: float = Field(
        20.0, ge=0, le=3600, description="how long running tasks may still finish after SIGTERM"
    )
    cancel_grace_seconds: float = Field(
        5.0, gt=0, le=600, description="how long an interrupted handler may clean up"
    )
    block_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="how long a worker's event loop may be blocked before the worker is replaced",
    )
    hook_seconds: float = Field(10.0, gt=0, le=600, description="time limit of one hook")

    max_retries: int = Field(
        3,
        ge=0,
        le=limits.RETRIES,
        description="default number of retries, when neither the task nor its handler sets one",
    )
    timeout_seconds: float = Field(
        300.0,
        gt=0,
        le=limits.TIMEOUT_SECONDS,
        description="default time limit of an attempt, when neither the task nor its handler sets "
        "one",
    )

    max_body_bytes: int = Field(1_048_576, ge=1_024, description="largest request body")
    max_batch_bytes: int = Field(8_388_608, ge=1_024, description="largest body of a batch")
    max_payload_bytes: int = Field(
        262_144, ge=64, le=4_194_304, description="largest payload, as JSON"
    )
    max_payload_values: int = Field(
        50_000,
        ge=16,
        le=1_000_000,
        description="most values of one payload, nested ones included",
    )
    max_result_bytes: int = Field(
        1_048_576, ge=64, le=4_194_304, description="largest result, as JSON"
    )
    max_traceback_bytes: int = Field(8_192, ge=256, le=32_768, description="longest traceback kept")

    max_queues: int = Field(
        10_000, ge=1, le=1_000_000, description="most queues that the tasks of a namespace may use"
    )
    max_tags: int = Field(
        10_000, ge=1, le=1_000_000, description="most tags that the tasks of a namespace may use"
    )

    max_waiting: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="most tasks of a namespace that may wait, queued or to be tried again; empty "
        "means no limit",
    )

    retention_days: float = Field(
        30.0, gt=0, le=36_500, description="how long finished tasks are kept"
    )
    wait_poll_seconds: float = Field(
        2.0,
        gt=0,
        le=30,
        description="time between two reads of a waiter without a message from Redis",
    )

    host: str = Field("127.0.0.1", description="address that `api` and `dev` listen on")
    port: int = Field(
        8000,
        ge=0,
        le=65_535,
        description="port that `api` and `dev` listen on; 0 takes a free one",
    )
    auth: Literal["auto", "required", "off"] = Field(
        "auto",
        description="whether requests need a key: `required`, `off`, or `auto`, which asks for one "
        "once the first is made, and from the start where other machines can reach the API",
    )
    rate_limit: Rate | None = Field(
        None,
        description="most requests of each key that has no limit of its own, such as `600/minute`, "
        "`50/second` or `100000/day`; each task of a batch counts; empty means no limit",
    )
    max_waits_per_key: int = Field(
        500,
        ge=1,
        le=1_000_000,
        description="most requests of one key that wait for tasks or follow them at a time, in "
        "each API process",
    )
    max_auth_failures: int = Field(
        300,
        ge=1,
        le=1_000_000,
        description="most requests with a wrong key that one address may send in a minute before "
        "the next ones are answered with 429, in each API process",
    )
    admin_key_file: Path | None = Field(
        None,
        description="file with one whole key, `tq_<id>_<secret>`, that opens as an operator's with "
        "the scope `admin`, for the first start of a container; only its owner may write it",
    )
    insecure_no_auth: bool = Field(
        False, description="another spelling of `TASKQ_AUTH=off`, for `api` and `dev`"
    )
    root_path: str = Field(
        "", description="prefix under which a proxy serves the API, such as `/queue`"
    )
    trusted_proxies: Networks = Field(
        (),
        description="addresses and networks of proxies whose `X-Forwarded-Prefix` names the "
        "prefix and whose `X-Forwarded-For` names callers, separated by commas",
    )
    data_dir: Path = Field(Path(".taskq"), description="folder in which `dev` keeps its tasks")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="lowest level to log"
    )

    @property
    def asks_for_keys(self) -> Literal["auto", "required", "off"]:
        """Whether requests need a key."""
        return "off" if self.insecure_no_auth else self.auth

    @property
    def beat_seconds(self) -> float:
        """Time between two heartbeats: a fifth of the lease."""
        return self.lease_seconds / 5

    @property
    def process_count(self) -> int:
        """The number of processes for handlers that ask for one."""
        return cpus.usable() if self.processes is None else self.processes

    @property
    def served_namespaces(self) -> tuple[str, ...]:
        """The namespaces whose tasks a worker runs, each once; `*` alone stands for all."""
        return tuple(dict.fromkeys(self.namespaces or (self.namespace,)))

    @field_validator(
        *("handlers", "allowed_hosts", "cors_origins", "namespaces", "queues", "trusted_proxies"),
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("namespace")
    @classmethod
    def _one_namespace(cls, value: str) -> str:
        if value == ALL_NAMESPACES:
            raise ValueError("name one namespace; a worker of all has TASKQ_NAMESPACES=*")
        return value

    @field_validator("namespaces")
    @classmethod
    def _possible_namespaces(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if ALL_NAMESPACES in value and len(value) > 1:
            raise ValueError("* stands for all namespaces: leave the other names out")
        if len(value) > limits.WORKER_NAMESPACES:
            raise ValueError(f"name at most {limits.WORKER_NAMESPACES} namespaces, or * for all")
        if not all(_NAMESPACE.fullmatch(namespace) for namespace in value):
            raise ValueError(
                "no task can be in such a namespace: names have 1 to "
                f"{limits.NAMESPACE_LENGTH} characters without white space"
            )
        return value

    @field_validator("queues")
    @classmethod
    def _possible_queues(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one queue")
        if not all(is_name(queue, limits.QUEUE_LENGTH) for queue in value):
            raise ValueError(
                f"no task can be in such a queue: names have 1 to {limits.QUEUE_LENGTH} letters, "
                "digits, or any of _ . : / -, and begin with a letter, a digit or _"
            )
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

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

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        dialects.check_url(value.get_secret_value())
        return value

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

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.insecure_no_auth and self.auth == "required":
            raise ValueError(
                "`required` contradicts --insecure-no-auth (TASKQ_INSECURE_NO_AUTH): leave one out"
            )
        return self

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

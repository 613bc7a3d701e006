"""Settings from arguments and the environment."""

import ssl

import pytest
from pydantic import ValidationError

from taskq_server.core.config import Settings
from taskq_server.domain.errors import ConfigurationError

MYSQL = "mysql+asyncmy://me@db/taskq"
UNTAKEN_OF_MYSQL = [
    f"{MYSQL}?{options}"
    for options in (
        *("sslmode=require", "useSSL=true", "ssl=maybe", "ssl_ca=/no/such/file", "foo=bar"),
        *("autocommit=true", "ssl=true&ssl=true", "ssl_check_hostname=perhaps"),
        *("connect_timeout=soon", "connect_timeout=0", "ssl_cert=/no/such/file", "ssl_cipher=none"),
    )
]
UNTAKEN_OF_SQLITE = [
    f"sqlite+aiosqlite:///taskq.db?{options}" for options in ("a=1", "timeout=long", "mode=ro")
]
UNTAKEN_OF_REDIS = [
    *(f"redis://cache/0?{options}" for options in ("foo=bar", "ssl=true", "decode_responses=true")),
    *(f"rediss://cache?{options}" for options in ("ssl_ca_certs=/no", "ssl_cert_reqs=perhaps")),
    "unix:///run/redis.sock?host=cache&foo=bar",
]


def test_the_defaults_are_those_of_the_design() -> None:
    settings = Settings()
    assert (settings.max_retries, settings.timeout_seconds) == (3, 300)
    assert (settings.lease_seconds, settings.beat_seconds, settings.janitor_seconds) == (10, 2, 1)
    assert (settings.concurrency, settings.threads) == (100, 8)
    assert (settings.max_body_bytes, settings.max_batch_bytes) == (2**20, 8 * 2**20)
    assert (settings.max_payload_bytes, settings.max_result_bytes) == (256 * 1024, 2**20)
    assert (settings.max_traceback_bytes, settings.retention_days) == (8192, 30)
    assert (settings.max_queues, settings.max_tags) == (10_000, 10_000)
    assert (settings.rate_limit, settings.max_waiting) == (None, None)
    assert (settings.max_waits_per_key, settings.max_auth_failures) == (500, 300)
    assert (settings.redis_url, settings.handlers, settings.queue_names) == (None, (), ("default",))


def test_every_setting_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_DATABASE_URL", "mysql+asyncmy://me@db/taskq")
    monkeypatch.setenv("TASKQ_REDIS_URL", "redis://cache:6379/0")
    monkeypatch.setenv("TASKQ_LEASE_SECONDS", "2.5")
    monkeypatch.setenv("TASKQ_CONCURRENCY", "7")
    settings = Settings.load()
    assert settings.database_url.get_secret_value() == "mysql+asyncmy://me@db/taskq"
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://cache:6379/0"
    assert (settings.lease_seconds, settings.beat_seconds) == (2.5, 0.5)
    assert settings.concurrency == 7


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("one", ("one",)),
        ("one,two", ("one", "two")),
        (" one , two ,, ", ("one", "two")),
    ],
)
def test_lists_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TASKQ_HANDLERS", text)
    assert Settings.load().handlers == names


@pytest.mark.parametrize(
    ("text", "names", "limits"),
    [
        ("a", ("a",), {}),
        ("video=2,default", ("video", "default"), {"video": 2}),
        (" b = 10000 , a=1,a=1,", ("b", "a"), {"b": 10_000, "a": 1}),
    ],
)
def test_queues_may_have_limits(
    monkeypatch: pytest.MonkeyPatch, text: str, names: tuple[str, ...], limits: dict[str, int]
) -> None:
    monkeypatch.setenv("TASKQ_QUEUES", text)
    settings = Settings.load()
    assert (settings.queue_names, settings.queue_limits) == (names, limits)
    assert settings == Settings(queues=settings.queues)
    for mode in ("python", "json"):
        assert Settings(queues=settings.model_dump(mode=mode)["queues"]) == settings


def test_allowed_hosts_are_kept_in_one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TASKQ_ALLOWED_HOSTS", "Tasks.Example.com., *.B.example,10.0.0.1,[FD00::0:1]"
    )
    hosts = ("tasks.example.com", "*.b.example", "10.0.0.1", "fd00::1")
    assert Settings.load().allowed_hosts == hosts


def test_origins_are_kept_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().cors_origins == ()
    monkeypatch.setenv("TASKQ_CORS_ORIGINS", "HTTPS://App.Example.com:443, http://localhost:3000")
    assert Settings.load().cors_origins == ("https://app.example.com", "http://localhost:3000")


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().trusted_proxies == ()
    monkeypatch.setenv("TASKQ_TRUSTED_PROXIES", "10.0.0.7, 172.16.0.0/12,FD00::/8 ,")
    networks = [str(each) for each in Settings.load().trusted_proxies]
    assert networks == ["10.0.0.7/32", "172.16.0.0/12", "fd00::/8"]


def test_an_argument_wins_over_the_environment_and_none_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TASKQ_THREADS", "3")
    assert Settings.load(threads=5).threads == 5
    assert Settings.load(threads=None).threads == 3
    assert Settings.load(handlers=("a", "b")).handlers == ("a", "b")


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("THREADS", "many", "integer"),
        ("THREADS", "0", "greater"),
        ("CONCURRENCY", "10001", "less"),
        ("LEASE_SECONDS", "0.1", "greater"),
        ("LEASE_SECONDS", "nan", "less|finite"),
        ("TIMEOUT_SECONDS", "inf", "less|finite"),
        ("MAX_RETRIES", "101", "less"),
        ("MAX_RETRIES", "-1", "greater"),
        ("RETENTION_DAYS", "inf", "less|finite"),
        ("RETENTION_DAYS", "1e9", "less"),
        ("QUEUES", " , ", "at least one queue"),
        *(
            ("ALLOWED_HOSTS", wrong, "names or addresses without scheme, port and path")
            for wrong in ("*", "a.example,http://b", "a:80", "a/b", "*.", ".a", "a..b", "bücher.de")
        ),
        *(
            ("ALLOWED_HOSTS", wrong, "names or addresses without scheme, port and path")
            for wrong in ("*a.example", "a.*.example", "a b", "[fd00::1]:80", "[fd00::g]", "u@a")
        ),
        ("CORS_ORIGINS", "*", "name each origin"),
        ("CORS_ORIGINS", "https://a,https://*.b", "name each origin"),
        ("CORS_ORIGINS", "https://a/,https://b", "must be origins"),
        *(
            ("TRUSTED_PROXIES", wrong, "must be addresses and networks")
            for wrong in ("*", "nginx", "10.0.0.7/8", "10.0.0.0/33", "1.2.3", "127.0.0.1,x", "a b")
        ),
        *(
            ("ROOT_PATH", wrong, "must be the beginning of a path")
            for wrong in ("queue", "//evil.example", "/a/..", "/a\r\nb", "/a'b", "/" + "a" * 255)
        ),
        *(
            ("RATE_LIMIT", wrong, "such as 600/minute")
            for wrong in ("600", "0/minute", "600/minutes", "600 per minute", "many/day", "-1/day")
        ),
        ("MAX_WAITING", "0", "greater"),
        ("MAX_WAITS_PER_KEY", "0", "greater"),
        ("MAX_AUTH_FAILURES", "0", "greater"),
        ("DATABASE_URL", "postgresql://x", r"mysql\+asyncmy"),
        ("REDIS_URL", "http://x", "redis://"),
        ("NAMESPACE", "a b", "pattern"),
        *(
            ("QUEUES", wrong, "no task can be in such a queue")
            for wrong in ("a b", "ok,-a", "é", "a" * 65, "a\nb", "a*", "{a}", "a;b", "=2", "a b=2")
        ),
        *(
            ("QUEUES", wrong, "the limit of the queue a must be a number from 1 to 10,000")
            for wrong in ("a=", "a=0", "a=-1", "a=x", "a=1.5", "a=10001", "a=1=2", "a=٢", "b,a=1e3")
        ),
        ("QUEUES", "a=2,b,a=3", "the queue a has two limits: name it once"),
        ("QUEUES", "a,a=3", "the queue a has two limits: name it once"),
        ("PORT", "65536", "less"),
        ("PORT", "http", "integer"),
        ("LOG_LEVEL", "loud", "DEBUG"),
        ("INSECURE_NO_AUTH", "perhaps", "boolean"),
        *(
            ("AUTH", wrong, "'auto', 'required' or 'off'")
            for wrong in ("Required", "REQUIRED", "yes", "1", "1 ", "off ", "true", "none", "null")
        ),
        *(("DATABASE_URL", wrong, "option") for wrong in UNTAKEN_OF_MYSQL + UNTAKEN_OF_SQLITE),
        ("DATABASE_URL", "mysql+asyncmy://me@db", "names no database"),
        ("DATABASE_URL", "sqlite+aiosqlite://taskq.db", "has a host"),
        *(("REDIS_URL", wrong, "option") for wrong in UNTAKEN_OF_REDIS),
        *(
            ("REDIS_PREFIX", wrong, "1 to 64 letters, digits, or any of")
            for wrong in ("a b", "a\n", "{a}", "a}", "a*", "a?", "[a]", "é", "a" * 65)
        ),
    ],
)
def test_a_wrong_value_is_reported_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    monkeypatch.setenv(f"TASKQ_{name}", value)
    with pytest.raises(ConfigurationError, match=rf"^TASKQ_{name}: .*({what})"):
        Settings.load()


@pytest.mark.parametrize("prefix", ["t", "a:b", "Shop-2_eu.taskq", "a" * 64])
def test_a_plain_prefix_is_taken(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    assert Settings.load().redis_prefix == "taskq"
    monkeypatch.setenv("TASKQ_REDIS_PREFIX", prefix)
    assert Settings.load().redis_prefix == prefix


@pytest.mark.parametrize("name", Settings.model_fields)
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_variable_is_not_set(
    monkeypatch: pytest.MonkeyPatch, name: str, empty: str
) -> None:
    monkeypatch.setenv(f"TASKQ_{name.upper()}", empty)
    assert Settings.load() == Settings()
    assert name not in Settings.load().model_fields_set


def test_a_variable_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_NAMESPACE", "caf\udce9")
    with pytest.raises(ConfigurationError, match=r"^TASKQ_NAMESPACE: .*unicode"):
        Settings.load()


@pytest.mark.parametrize(
    "url",
    [
        *(f"{MYSQL}?{options}" for options in ("ssl=true", "ssl=False", "charset=utf8mb4")),
        f"{MYSQL}?ssl_ca={ssl.get_default_verify_paths().openssl_cafile}&ssl_check_hostname=no",
        "mysql+asyncmy://me@/taskq?unix_socket=/run/mysqld.sock&connect_timeout=3",
        "sqlite+aiosqlite:///taskq.db?timeout=3",
        "sqlite+aiosqlite:///file:taskq.db?uri=true&mode=rw",
    ],
)
def test_options_that_a_driver_takes_are_taken(url: str) -> None:
    assert Settings.load(database_url=url).database_url.get_secret_value() == url


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TASKQ_TREADS"):
        Settings.load(treads=1)


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        setattr(settings, "threads", 1)  # noqa: B010


def test_a_worker_serves_the_namespace_of_the_api_unless_it_is_told_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TASKQ_NAMESPACE", "one")
    assert Settings.load().served_namespaces == ("one",)
    monkeypatch.setenv("TASKQ_NAMESPACES", "two, drei:ü ,two")
    assert Settings.load().served_namespaces == ("two", "drei:ü")


@pytest.mark.parametrize(
    "namespaces",
    ["a b", "x" * 65, ",".join(str(number) for number in range(51))],
    ids=["white space", "long", "many"],
)
def test_namespaces_that_no_worker_can_serve(
    monkeypatch: pytest.MonkeyPatch, namespaces: str
) -> None:
    monkeypatch.setenv("TASKQ_NAMESPACES", namespaces)
    with pytest.raises(ConfigurationError, match=r"^TASKQ_NAMESPACES: (no task|name at most 50)"):
        Settings.load()

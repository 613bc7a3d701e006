"""What holds a password is shown nowhere."""

import pickle
import subprocess
import sys
import traceback
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from taskq_server.core.config import Settings
from taskq_server.domain.errors import ConfigurationError
from taskq_server.runtime import open_runtime
from tests.support.ports import free_port
from tests.support.processes import environment

SECRET = "S3CRET"
DATABASE_URL = f"mysql+asyncmy://taskq:{SECRET}@127.0.0.1:1/taskq"
REDIS_URL = f"redis://taskq:{SECRET}@127.0.0.1:1/0"
UNUSABLE = [
    ("DATABASE_URL", f"mysql://taskq:{SECRET}@db/taskq"),
    ("DATABASE_URL", f"taskq:{SECRET}"),
    ("DATABASE_URL", f"mysql+asyncmy://taskq:{SECRET}"),
    ("DATABASE_URL", f"mysql+asyncmy://taskq:x@{SECRET}@db/taskq"),
    ("DATABASE_URL", f"mysql+asyncmy://taskq:{SECRET}@db:port/taskq"),
    ("DATABASE_URL", f"mysql+asyncmy://taskq:{SECRET}@db:99999/taskq"),
    ("REDIS_URL", f"http://:{SECRET}@cache"),
    ("REDIS_URL", f"redis://:{SECRET}#x@cache"),
    ("REDIS_URL", f"redis://me:12#{SECRET}@cache"),
    ("REDIS_URL", f"redis://me:12?{SECRET}@cache"),
    ("REDIS_URL", f"redis://me:12/{SECRET}@cache:6379/0"),
    ("REDIS_URL", f"redis://:{SECRET}@cache:port/0"),
    ("REDIS_URL", f"redis://:{SECRET}@cache/0?db=x"),
    ("REDIS_URL", f"redis://:{SECRET}@[::1/0"),
]


def secretive() -> Settings:
    return Settings.load(database_url=DATABASE_URL, redis_url=REDIS_URL)


def test_settings_show_no_password() -> None:
    settings = secretive()
    shown = (settings, settings.model_dump(), settings.model_dump_json(), vars(settings))
    assert SECRET not in "".join(f"{one!r} {one}" for one in shown)
    assert settings.database_url.get_secret_value() == DATABASE_URL


def test_settings_reach_another_process_whole() -> None:
    assert pickle.loads(pickle.dumps(secretive())) == secretive()


async def test_a_runtime_shows_no_password() -> None:
    async with open_runtime(secretive()) as runtime:
        shown = (runtime, runtime.database.engine, runtime.database.engine.url, runtime.redis)
        assert SECRET not in "".join(f"{one!r} {one}" for one in shown)


@pytest.mark.parametrize(("name", "value"), UNUSABLE)
def test_a_wrong_url_is_one_sentence_without_its_password(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^TASKQ_{name}: .*(must start|%40)") as caught:
        Settings.load(**{name.lower(): value})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("name", "value"), UNUSABLE)
def test_settings_made_by_hand_do_not_repeat_a_password(name: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({name.lower(): value})
    assert SECRET not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "url",
    [
        "mysql+asyncmy://me:p%40ss%2F@[::1]:3306/taskq",
        "mysql+asyncmy://db/taskq",
        "sqlite+aiosqlite:///a@b.db",
        "sqlite+aiosqlite://",
    ],
)
def test_a_right_database_url_is_taken(url: str) -> None:
    assert Settings.load(database_url=url).database_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://me:p%40ss%2F@[::1]:6379/0",
        "rediss://cache",
        "unix:///run/me@host.sock?db=1",
        "redis://:x@cache/0?socket_timeout=2",
    ],
)
def test_a_right_redis_url_is_taken(url: str) -> None:
    redis_url = Settings.load(redis_url=url).redis_url
    assert redis_url is not None
    assert redis_url.get_secret_value() == url


def serve_elsewhere(settings: Mapping[str, str]) -> str:
    """Return what uvicorn prints that cannot serve the application."""
    command = [sys.executable, "-m", "uvicorn", "--factory", "taskq_server.main:create_app"]
    done = subprocess.run(
        [*command, "--port", str(free_port()), "--log-level", "trace"],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    return done.stdout


@pytest.mark.parametrize(
    ("name", "value"), [UNUSABLE[0], UNUSABLE[3], UNUSABLE[4], UNUSABLE[7], UNUSABLE[10]]
)
def test_another_server_prints_no_password(name: str, value: str) -> None:
    said = serve_elsewhere({f"TASKQ_{name}": value})
    assert f"ERROR:    TASKQ_{name}: " in said
    assert SECRET not in said

"""What a client refuses to be made with."""

import pytest

from taskq_client import AsyncTaskqClient, ConfigurationError, TaskqClient


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://host:0",
        "http://host:99999",
        "http://[::1",
        "http://a b",
        "http://host?x=1",
        "http://host#x",
        "http://ho\x00st",
    ],
)
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    for client in (TaskqClient, AsyncTaskqClient):
        with pytest.raises(ConfigurationError, match=r"not the url of a server"):
            client(url)


def test_other_settings_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for client in (TaskqClient, AsyncTaskqClient):
        with pytest.raises(ConfigurationError, match="timeout"):
            client(timeout=0)
        with pytest.raises(ConfigurationError, match="max_retries"):
            client(max_retries=-1)
        with pytest.raises(ConfigurationError, match="transport"):
            client(transport=object())
    monkeypatch.setenv("HTTP_PROXY", "ftp://nonsense")
    for client in (TaskqClient, AsyncTaskqClient):
        with pytest.raises(ConfigurationError, match="HTTP_PROXY='ftp://nonsense' is not the url"):
            client("http://tasks.example")

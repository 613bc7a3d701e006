"""Origins are kept as browsers write them, and nothing else is one."""

import pytest

from taskq_server.core.origins import origin


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.com", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://10.0.0.1:03000", "http://10.0.0.1:3000"),
        ("http://[FD00::0:1]:8080", "http://[fd00::1]:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_one_spelling(text: str, kept: str) -> None:
    assert origin(text) == kept


@pytest.mark.parametrize("text", ["*", "https://*.example.com", "https://*", "*://example.com"])
def test_no_wildcard(text: str) -> None:
    with pytest.raises(ValueError, match="name each origin"):
        origin(text)


@pytest.mark.parametrize(
    "text",
    [
        *("null", "", "app.example.com", "//app.example.com", "https://", "file:///x", "ftp://x"),
        *("https://app.example.com/", "https://app.example.com/x", "https://app.example.com?x"),
        *("https://me@app.example.com", "https://a b", "https://a\n", "https://bücher.example"),
        *("https://a:", "https://a:0", "https://a:65536", "https://a:x", "https://a:123456"),
        *("https://[::1", "https://[::g]", "https://::1", "https://.a", "https://a..b"),
    ],
)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match="must be origins"):
        origin(text)

"""Addresses to listen on."""

import pytest

from taskq_server.core.addresses import Address


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("9100", "127.0.0.1:9100"),
        (":9100", "127.0.0.1:9100"),
        (" 127.0.0.1:0 ", "127.0.0.1:0"),
        ("0.0.0.0:9100", "0.0.0.0:9100"),
        ("localhost:65535", "localhost:65535"),
        ("[::1]:9100", "[::1]:9100"),
        ("[fe80::1%eth0]:9100", "[fe80::1%eth0]:9100"),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    assert str(Address.parse(text)) == meant
    assert Address.parse(meant) == Address.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "x", "127.0.0.1", "::1", "::1:9100", "[::1]", "[::1]9100", "[::1"),
        *("65536", "1:65536", "123456", "-1", ":-1", "x:y", "9100:", "a:1:2", "٣", "+1", "1e3"),
        *("http://127.0.0.1:9100", "tcp://10.0.0.1:80", "127.0.0.1:9100/metrics", "me@host:9100"),
        *("a b:9100", "host:91 00", "host\n:9100", "[]:9100", "/run/x.sock", "9100,9101"),
    ],
)
def test_what_makes_no_sense_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a port, or a host and a port, such as 9100"):
        Address.parse(text)


@pytest.mark.parametrize("text", ["0", "[::1]:0", "localhost:0"])
def test_it_listens_where_it_says(text: str) -> None:
    with Address.parse(text).listen() as listener:
        host, port, *_ = listener.getsockname()
        assert host in ("127.0.0.1", "::1")
        with pytest.raises(OSError, match="in use"):
            Address(host, port).listen()

"""What the environment says about the way to the server, and what is said when it is wrong."""

import socket
import sys
from pathlib import Path

import pytest

from taskq_client import AsyncTaskqClient, ConfigurationError, TaskqClient, TaskqConnectionError
from taskq_client._environment import proxy_for
from tests.unit.client.servers import TAGS, Behave, answers, certificate, listening, tags_of

KINDS = [TaskqClient, AsyncTaskqClient]
DEAD = "http://127.0.0.1:9"
VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "SSLKEYLOGFILE", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def noting(heads: list[bytes], then: bytes = TAGS) -> Behave:
    def behave(connection: socket.socket) -> None:
        while head := connection.recv(65_536):
            heads.append(head)
            connection.sendall(then)

    return behave


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_used_and_named(
    kind: type, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []
    with listening(noting(heads)) as place:
        monkeypatch.setenv(variable, place)
        assert tags_of(kind("http://tasks.example/api")) == []
    assert heads[0].startswith(b"GET http://tasks.example/api/tags HTTP/1.1\r\n")

    with pytest.raises(TaskqConnectionError) as caught:
        tags_of(kind("http://tasks.example", max_retries=0))
    said = f"cannot connect to http://tasks.example through http://{place} ({variable}): "
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("kind", KINDS)
def test_https_goes_through_a_tunnel(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []
    with listening(noting(heads, b"HTTP/1.1 502 No Way\r\n\r\n")) as place:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{place}")
        monkeypatch.setenv("HTTP_PROXY", DEAD)
        with pytest.raises(TaskqConnectionError, match=r"through .* broke: 502 No Way"):
            tags_of(kind("https://tasks.example", max_retries=0))
    assert heads[0].startswith(b"CONNECT tasks.example:443 HTTP/1.1\r\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("proxy", [DEAD, "ftp://nonsense", "socks5://127.0.0.1:9", "http://:x@"])
def test_this_machine_is_never_behind_a_proxy(
    kind: type, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, proxy)
    with listening(answers) as place:
        assert tags_of(kind(f"http://{place}", max_retries=0)) == []


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "taskq.localhost",
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_names_of_this_machine(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", DEAD)
    assert proxy_for(f"http://{host}:8000") is None
    assert proxy_for(f"https://{host}") is None
    assert proxy_for("http://localhost.example") is not None
    assert proxy_for("http://notlocalhost") is not None


@pytest.mark.parametrize(
    ("entries", "url", "direct"),
    [
        ("*", "http://tasks.example", True),
        ("a.example, *", "http://tasks.example", True),
        ("tasks.example", "http://tasks.example", True),
        ("TASKS.example", "http://tasks.EXAMPLE", True),
        ("a.example b.example,tasks.example", "http://b.example", True),
        ("example", "http://tasks.example", True),
        ("example", "http://tasks.anexample", False),
        (".example", "http://tasks.example", True),
        ("*.example", "http://tasks.example", True),
        (".tasks.example", "http://tasks.example", False),
        ("tasks.example:8000", "http://tasks.example:8000", True),
        ("tasks.example:8000", "http://tasks.example", False),
        ("tasks.example:443", "https://tasks.example", True),
        ("https://tasks.example", "https://tasks.example", True),
        ("https://tasks.example", "http://tasks.example", False),
        ("all://tasks.example", "http://tasks.example", True),
        ("10.0.0.1", "http://10.0.0.1", True),
        ("10.0.0.0/8", "http://10.9.9.9:8000", True),
        ("10.0.0.1/8", "http://10.9.9.9", True),
        ("10.0.0.0/8", "http://11.0.0.1", False),
        ("10.0.0.0/8:80", "http://10.0.0.1:81", False),
        ("0.0.0.1", "http://10.0.0.1", False),
        ("fe80::/10", "http://[fe80::7]:8000", True),
        ("fe80::/10", "http://tasks.example", False),
        ("127.0.0.1,fe80::/10", "http://10.0.0.1", False),
        ("[fe80::]/10", "http://[fe80::7]", True),
        ("[2001:db8::1]", "http://[2001:db8::1]:8000", True),
        ("2001:db8::1", "http://[2001:DB8:0::1]", True),
        ("[2001:db8::1]:8000", "http://[2001:db8::1]:8000", True),
        ("[2001:db8::1]:8000", "http://[2001:db8::1]", False),
        ("", "http://tasks.example", False),
        (",,", "http://tasks.example.", False),
        ("tasks.example:port", "http://tasks.example", False),
        ("[", "http://tasks.example", False),
        ("[::1", "http://10.0.0.1", False),
        ("10.0.0.0/99", "http://10.0.0.1", False),
        ("<local>;x\\y", "http://tasks.example", False),
        ("http://", "http://tasks.example", False),
    ],
)
def test_no_proxy(entries: str, url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", DEAD)
    monkeypatch.setenv("NO_PROXY", entries)
    assert (proxy_for(url) is None) is direct
    for kind in KINDS:
        assert kind(url)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("variable", "proxy"),
    [("HTTP_PROXY", "ftp://proxy.example"), ("http_proxy", "http://"), ("ALL_PROXY", "http://a b")],
)
def test_a_proxy_that_cannot_be_used_is_named_with_its_variable(
    kind: type, variable: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(ConfigurationError) as caught:
        kind("http://tasks.example")
    assert str(caught.value).startswith(f"{variable}={proxy!r} is not the url of a proxy such as")
    assert caught.value.setting == variable


@pytest.mark.parametrize("kind", KINDS)
def test_a_socks_proxy_may_need_a_package(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example")
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ConfigurationError, match=r"ALL_PROXY names a SOCKS .* 'httpx\[socks\]'"):
        kind("http://tasks.example")


@pytest.mark.parametrize("kind", KINDS)
def test_certificates_are_those_of_the_variables(
    kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, trusted = certificate(tmp_path)
    with listening(answers, tls=serving) as place:
        with pytest.raises(TaskqConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            tags_of(kind(f"https://{place}", max_retries=0))
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert tags_of(kind(f"https://{place}", max_retries=0)) == []
        other = tmp_path / "other"
        other.mkdir()
        for name, value in (("SSL_CERT_FILE", certificate(other)[1]), ("SSL_CERT_DIR", other)):
            monkeypatch.delenv("SSL_CERT_FILE")
            monkeypatch.setenv(name, str(value))
            with pytest.raises(TaskqConnectionError, match=rf"FAILED.*, with {name}='{value}'"):
                tags_of(kind(f"https://{place}", max_retries=0))
            monkeypatch.setenv("SSL_CERT_FILE", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_FILE", "/"),
        ("SSL_CERT_FILE", __file__),
        ("SSL_CERT_DIR", "/nowhere"),
        ("SSL_CERT_DIR", __file__),
        ("SSLKEYLOGFILE", "/nowhere/keys"),
    ],
)
def test_certificates_that_cannot_be_read_are_named_if_they_matter(
    kind: type, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        kind("https://tasks.example")
    assert f"{variable}={value!r}" in str(caught.value)
    assert caught.value.setting == variable
    with listening(answers) as place:
        assert tags_of(kind(f"http://{place}")) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TASKQ_URL", "localhost:8000", "TASKQ_URL='localhost:8000' is not the url of a server"),
        ("TASKQ_API_KEY", "two words", "the api key (TASKQ_API_KEY) has characters"),
        ("TASKQ_TIMEOUT", "10s", "TASKQ_TIMEOUT must be a number of seconds over 0, "),
        ("TASKQ_TIMEOUT", "inf", "TASKQ_TIMEOUT must "),
    ],
)
def test_our_own_variables_are_named(
    kind: type, variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        kind()
    assert said in str(caught.value)
    assert caught.value.setting == variable


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_is_no_longer_encrypted_has_broken(
    kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        socket.socket.send(connection, b"\x17\x03\x03\x00\x20" + b"no TLS at all" * 3)

    serving, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with (
        listening(behave, tls=serving) as place,
        pytest.raises(TaskqConnectionError, match="broke: "),
    ):
        tags_of(kind(f"https://{place}", max_retries=0))

"""Pages of other sites must not reach a server that only this machine is to reach."""

import json

import pytest

from tests.support.raw_http import RawAnswer, ask
from tests.support.stack import NewStack, Stack

TASK = json.dumps({"handler": "taskq.echo", "payload": {"value": 1}}).encode()

OURS = (
    *(
        "localhost",
        "LocalHost:8000",
        "localhost.",
        "localhost:",
        "localhost:1",
        "a.localhost:65535",
    ),
    *("a.b-c.LOCALHOST", "127.0.0.1", "127.0.0.1:80", "127.9.8.7", "127.255.255.254:1"),
    *(
        "[::1]",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]",
        "[::0001]:2",
        "[::ffff:127.0.0.1]",
        " localhost ",
    ),
)
OTHERS = (
    *("", ":8000", "evil.example", "evil.example:8000", "localhost.evil.example", "evillocalhost"),
    *("127.0.0.1.evil.example", "127.0.0.1.nip.io", ".localhost", "a..localhost", "localhost.."),
    *("localhost@evil.example", "evil.example@localhost", "a:b@localhost", "localhost/evil"),
    *("localhost, evil.example", "localhost evil.example", "localhost:evil", "localhost:80:80"),
    *(
        "localhost:-1",
        "localhost:999999",
        "localhost:\uff18\uff10",
        "0.0.0.0",
        "0",
        "127.1",
        "0177.0.0.1",
    ),
    *("0x7f.0.0.1", "2130706433", "127.000.000.001", "128.0.0.1", "10.0.0.1", "169.254.169.254"),
    *("::1", "[::1", "[127.0.0.1]", "[::]", "[::2]", "[::1%25lo]", "[::1%lo]", "[::ffff:10.0.0.1]"),
    *(
        "[fe80::1]",
        "[64:ff9b::127.0.0.1]",
        "l\u043ecalhost",
        "\uff4cocalhost",
        "localhost\u3002",
        "*.localhost",
    ),
    *("*", "null", "localhost\\evil", "localhost#", "http://localhost", "xn--lcalhost-1nf"),
)


def get(port: int, *fields: str, target: str = "/tasks", version: str = "1.1") -> RawAnswer:
    lines = [f"GET {target} HTTP/{version}", *fields, "", ""]
    return ask(port, "\r\n".join(lines).encode())


def submit(port: int, *fields: str, body: bytes = TASK, length: int | None = None) -> RawAnswer:
    size = len(body) if length is None else length
    lines = ["POST /tasks HTTP/1.1", "Content-Type: application/json", f"Content-Length: {size}"]
    return ask(port, "\r\n".join([*lines, *fields, "", ""]).encode() + body)


def check_misdirected(answer: RawAnswer) -> None:
    assert (answer.status, answer.code) == (421, "misdirected-request"), answer
    assert answer.problem["request_id"] == answer.headers["x-request-id"]


@pytest.fixture
def port(stack: Stack) -> int:
    return int(stack.api_url.rpartition(":")[2])


@pytest.mark.parametrize("host", OURS)
def test_names_and_addresses_of_this_machine(port: int, host: str) -> None:
    assert get(port, f"Host: {host}").status == 200
    assert submit(port, f"Host: {host}").status == 201


@pytest.mark.parametrize("host", OTHERS)
def test_any_other_host(port: int, host: str) -> None:
    check_misdirected(get(port, f"Host: {host}"))
    check_misdirected(submit(port, f"Host: {host}"))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("Host: localhost", "Host: localhost"),
        ("Host: localhost", "host: evil.example"),
        ("Host: evil.example", "Host: localhost"),
        ("X-Forwarded-Host: localhost",),
        ("Host: evil.example", "X-Forwarded-Host: localhost", "Forwarded: host=localhost"),
    ],
)
def test_none_or_two(port: int, fields: tuple[str, ...], version: str) -> None:
    check_misdirected(get(port, *fields, version=version))


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost/tasks", "localhost", 200),
        ("http://127.0.0.1:80/tasks?limit=1", "127.0.0.1:80", 200),
        ("http://evil.example/tasks", "localhost", 421),
        ("HTTP://evil.example/tasks", "localhost", 421),
        ("http://evil.example/?limit=1", "localhost", 421),
        ("http://localhost@evil.example/tasks", "localhost", 421),
        ("http://evil.example@localhost/tasks", "localhost", 421),
        ("http://localhost/tasks", "evil.example", 421),
        ("http://evil.example/tasks", "evil.example", 421),
        ("https://evil.example/tasks", "localhost", 421),
    ],
)
def test_a_target_that_names_a_host(port: int, target: str, host: str, status: int) -> None:
    assert get(port, f"Host: {host}", target=target).status == status


def test_a_target_is_a_host_where_no_other_is(port: int) -> None:
    assert get(port, target="http://localhost/tasks", version="1.0").status == 200
    check_misdirected(get(port, target="http://evil.example/tasks", version="1.0"))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (("Origin: http://localhost",), 200),
        (("Origin: http://LOCALHOST:3000",), 200),
        (("Origin: https://app.localhost:5173",), 200),
        (("Origin: http://127.0.0.1:8000",), 200),
        (("Origin: http://[::1]:8000",), 200),
        (("Origin: http://localhost:3000", "Sec-Fetch-Site: cross-site"), 200),
        (("Sec-Fetch-Site: same-origin",), 200),
        (("Sec-Fetch-Site: none",), 200),
        (("Sec-Fetch-Site: cross-site",), 421),
        (("Sec-Fetch-Site: Cross-Site",), 421),
        (("Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"), 421),
        (("Sec-Fetch-Site: cross-site, none",), 421),
        (("Origin: null",), 421),
        (("Origin:",), 421),
        (("Origin: http://evil.example",), 421),
        (("Origin: http://evil.example", "Sec-Fetch-Site: same-origin"), 421),
        (("Origin: http://localhost.evil.example",), 421),
        (("Origin: http://localhost@evil.example",), 421),
        (("Origin: http://localhost", "Origin: http://evil.example"), 421),
        (("Origin: http://localhost http://evil.example",), 421),
        (("Origin: http://localhost, http://evil.example",), 421),
        (("Origin: localhost",), 421),
        (("Origin: file://localhost",), 421),
        (("Origin: chrome-extension://localhost",), 421),
        (("Origin: http://localhost/evil",), 421),
    ],
)
def test_pages_of_other_sites(port: int, fields: tuple[str, ...], status: int) -> None:
    assert get(port, "Host: localhost", *fields).status == status
    assert submit(port, "Host: localhost", *fields).status == (201 if status == 200 else 421)


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/docs/assets/favicon.png"])
def test_no_path_is_left_out(port: int, path: str) -> None:
    check_misdirected(get(port, "Host: evil.example", target=path))


def test_a_refused_body_is_not_read(port: int) -> None:
    refused = submit(port, "Host: evil.example", body=b"{", length=1_000_000)
    check_misdirected(refused)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_answer_to_any_host_or_none(port: int, path: str) -> None:
    for fields in ((), ("Host: evil.example",), ("Host: a", "Host: b"), ("Origin: null",)):
        assert get(port, *fields, target=path).status == 200


@pytest.mark.parametrize("path", ["/livez/", "/livez/../tasks", "/x/livez", "/LIVEZ", "//livez"])
def test_what_looks_like_a_probe_is_none(port: int, path: str) -> None:
    check_misdirected(get(port, "Host: evil.example", target=path))


def test_allowed_hosts(new_stack: NewStack) -> None:
    hosts = "Tasks.Example.com., *.Internal.example ,10.1.2.3, [FD00::0:1]"
    opened = new_stack("sqlite", settings={"TASKQ_ALLOWED_HOSTS": hosts})
    port = int(opened.api_url.rpartition(":")[2])
    for host in (
        *("tasks.example.com", "TASKS.example.com.:443", "a.internal.example", "10.1.2.3:80"),
        *("a.b.internal.example", "[fd00::1]:8", "localhost", "127.0.0.1"),
    ):
        assert get(port, f"Host: {host}").status == 200, host
        assert get(port, "Host: localhost", f"Origin: https://{host}").status == 200, host
    for host in ("a.tasks.example.com", "internal.example", "10.1.2.4", "[fd00::2]", "example.com"):
        check_misdirected(get(port, f"Host: {host}"))
        check_misdirected(get(port, "Host: localhost", f"Origin: https://{host}"))


def test_pages_of_listed_origins(new_stack: NewStack) -> None:
    origins = "https://App.Example.com:443, http://[::1]:3000"
    opened = new_stack("sqlite", settings={"TASKQ_CORS_ORIGINS": origins})
    port = int(opened.api_url.rpartition(":")[2])
    for origin in ("https://app.example.com", "http://[::1]:3000"):
        fields = ("Host: localhost", f"Origin: {origin}", "Sec-Fetch-Site: cross-site")
        answers = (get(port, *fields), submit(port, *fields))
        assert [answer.status for answer in answers] == [200, 201]
        assert {each.headers["access-control-allow-origin"] for each in answers} == {origin}
        check_misdirected(get(port, "Host: evil.example", f"Origin: {origin}"))
    for origin in ("http://app.example.com", "https://app.example.com:8443", "null"):
        answer = get(port, "Host: localhost", f"Origin: {origin}")
        check_misdirected(answer)
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_an_open_server_answers_to_any_host(
    request: pytest.FixtureRequest, new_stack: NewStack, kind: str
) -> None:
    settings = {"TASKQ_INSECURE_NO_AUTH": "1"}
    opened = new_stack("sqlite" if kind == "sqlite" else "mariadb", settings=settings)
    port = int(opened.api_url.rpartition(":")[2])
    assert get(port, "Host: evil.example", "Origin: null").status == 200
    assert submit(port, "Host: evil.example", "Sec-Fetch-Site: cross-site").status == 201

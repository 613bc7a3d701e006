import pytest

from taskq_server.core.proxies import caller_address, is_in, neighbourhood, network, path_prefix

HOSTILE = (
    *("//evil.example", "//", "/a//b", "/queue//", "queue", "http://evil.example/a", "\\\\evil"),
    *("/..", "/.", "/../a", "/a/..", "/a/../b", "/a/./b", "/%2e%2e", "/a%2fb", "/a;b", "/a,/b"),
    *('/a"b', "/a'b", "/a<b>", "/a>", "/a&b", "/a b", " /a", "/a ", "/a\\b", "/a?b", "/a#b"),
    *("/a\r\nSet-Cookie: x=y", "/a\n", "/a\r", "/a\0", "/a\t", "/é", "/\u2024\u2024", "/{a}"),
    *("/" + "a" * 255, "/a" * 128, "/" * 100_000, "/a" * 100_000),
)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        *((same, same) for same in ("/a", "/a/b.c/d~e", "/.well-known", "/...", "/_-1")),
        *((same, same) for same in ("/services/http:taskq:80/proxy", "/user/a@b.example/c+d=e")),
        ("/" + "a" * 254, "/" + "a" * 254),
        ("/queue/", "/queue"),
        ("/", ""),
        ("", ""),
    ],
)
def test_a_prefix_has_no_slash_at_its_end(text: str, prefix: str) -> None:
    assert path_prefix(text) == prefix


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_plain_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be the beginning of a path, such as /queue"):
        path_prefix(text)


@pytest.mark.parametrize(
    ("text", "host", "trusted"),
    [
        ("10.0.0.7", "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.8", False),
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:11.1.2.3", False),
        ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", True),
        ("fd00::/8", "fd12::1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("fd00::/8", "10.0.0.1", False),
        ("::1", "::1", True),
        ("::1", "127.0.0.1", False),
        ("0.0.0.0/0", "testclient", False),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "1.2.3.4", True),
        ("0.0.0.0/0", "fd00::1", False),
    ],
)
def test_who_is_in_a_network(text: str, host: str, trusted: bool) -> None:
    assert is_in([network("192.0.2.0/24"), network(text)], host) is trusted
    assert not is_in([], host)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # not from a proxy that is trusted
        ("10.0.0.7", [], "10.0.0.7"),
        ("10.0.0.7", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.7", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # the caller said 1.1.1.1
        ("10.0.0.7", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.7", ["198.51.100.1, 10.0.0.8"], "198.51.100.1"),
        ("10.0.0.7", ["198.51.100.1", " 10.0.0.8 "], "198.51.100.1"),
        ("10.0.0.7", ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ("::ffff:10.0.0.7", ["198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.7", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.7", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.7", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.7", ["198.51.100.1, unknown"], "10.0.0.7"),
        ("10.0.0.7", ["198.51.100.1, "], "10.0.0.7"),
        ("10.0.0.7", ["198.51.100.1, 10.0.0.8.9"], "10.0.0.7"),
        ("10.0.0.7", ["x" * 9_000, "\xff\xfe"], "10.0.0.7"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_a_caller_is_the_last_hop_that_is_not_trusted(
    peer: str, forwarded: list[str], address: str
) -> None:
    networks = [network(text) for text in ("10.0.0.0/29", "10.0.0.8/31", "fd00::/8")]
    assert caller_address(networks, peer, forwarded) == address


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket", ""),
    ],
)
def test_neighbours_count_as_one(address: str, counted: str) -> None:
    assert neighbourhood(address) == counted

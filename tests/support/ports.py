"""Free TCP ports that two test runs at once do not fight over."""

import random
import socket
import sys

# Below the range that Linux and macOS hand to outgoing connections: such a port stays free while
# its server is killed and restarted.
_FIRST, _LAST = 20_000, 32_000
_claims: list[socket.socket] = []


def free_port() -> int:
    """A loopback port nobody listens on, claimed for the life of this process."""
    for _ in range(200):
        port = random.SystemRandom().randrange(_FIRST, _LAST)
        if _is_free(port) and _claim(port):
            return port
    raise RuntimeError(f"no free port between {_FIRST} and {_LAST}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim(port: int) -> bool:
    """Hold a name in the kernel that other test runs look at; only Linux has such names."""
    if sys.platform != "linux":
        return True
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0taskq-test-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True

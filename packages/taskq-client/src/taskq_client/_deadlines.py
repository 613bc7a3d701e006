"""One time limit for a whole blocking request, because httpx limits each read and write."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import httpx

_PIECE = 65_536

_local = threading.local()


@contextmanager
def ends_at(moment: float) -> Iterator[None]:
    """Limit the reads and writes of this thread to a moment of the monotonic clock."""
    _local.ends_at = moment
    try:
        yield
    finally:
        _local.ends_at = inf


def limit(client: httpx.Client) -> httpx.Client:
    """Make the connections of a client keep to `ends_at`.

    Without this limit, an answer that is sent byte by byte is never too slow. httpx has no public
    access to its connection pools; without a pool, each read keeps its own time limit.
    """
    mounts: Iterable[Any] = getattr(client, "_mounts", {}).values()
    for transport in (getattr(client, "_transport", None), *mounts):
        pool: Any = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if backend is not None and not isinstance(backend, _Backend):
            pool._network_backend = _Backend(backend)
    return client


class _Wrapper:
    """A wrapper of an object of httpcore, which is not imported because it loads slowly."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Backend(_Wrapper):
    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any
    ) -> "_Stream":
        return _Stream(self._inner.connect_tcp(host, port, _left(timeout), *args, **kwargs))

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, *args: Any, **kwargs: Any
    ) -> "_Stream":
        return _Stream(self._inner.connect_unix_socket(path, _left(timeout), *args, **kwargs))


class _Stream(_Wrapper):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._inner.read(max_bytes, _left(timeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], _left(timeout))

    def start_tls(
        self, ssl_context: object, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_Stream":
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))


def _left(timeout: float | None) -> float | None:
    moment: float = getattr(_local, "ends_at", inf)
    if moment == inf:
        return timeout
    left = moment - time.monotonic()
    if left <= 0:
        raise httpx.ReadTimeout("the time of the whole request is up")
    return left if timeout is None else min(timeout, left)

"""One time limit for a whole blocking request: those of httpx are for each read."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import httpcore
import httpx

_local = threading.local()


@contextmanager
def ends_at(moment: float) -> Iterator[None]:
    """Let whatever this thread reads meanwhile end at a moment of the monotonic clock."""
    _local.ends_at = moment
    try:
        yield
    finally:
        _local.ends_at = inf


def limit(client: httpx.Client) -> httpx.Client:
    """Make the connections of a client keep to `ends_at`.

    A server that sends its answer byte by byte would otherwise never be too slow. httpx has no
    public way to its connection pools; without one, each read keeps its own time limit.
    """
    mounts: Iterable[Any] = getattr(client, "_mounts", {}).values()
    for transport in (getattr(client, "_transport", None), *mounts):
        pool: Any = getattr(transport, "_pool", None)
        if isinstance(backend := getattr(pool, "_network_backend", None), httpcore.NetworkBackend):
            pool._network_backend = _Backend(backend)
    return client


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(*args, **kwargs))

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_unix_socket(*args, **kwargs))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(timeout: float | None) -> float | None:
    moment: float = getattr(_local, "ends_at", inf)
    if moment == inf:
        return timeout
    left = moment - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time of the whole request is up")
    return left if timeout is None else min(timeout, left)

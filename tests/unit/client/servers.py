"""Servers that do as they are told with each connection, over TCP, TLS and unix sockets."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from taskq_client import AsyncTaskqClient

Behave = Callable[[socket.socket], None]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
TAGS = HEAD + b'content-length: 12\r\n\r\n{"items":[]}'


def answers(connection: socket.socket) -> None:
    """Say to each request that there are no tags."""
    while connection.recv(65_536):
        connection.sendall(TAGS)


def drips(data: bytes) -> Behave:
    """Send a byte every 50 ms, far more slowly than any client should wait."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        for start in range(len(data)):
            connection.sendall(data[start : start + 1])
            time.sleep(0.05)

    return behave


@contextmanager
def listening(
    behave: Behave, *, path: Path | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Serve each connection in a thread of its own, and yield the host and the port."""
    if path is None:
        listener = socket.create_server(("127.0.0.1", 0))
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
    threads: list[threading.Thread] = []

    def keep(connection: socket.socket) -> None:
        connection.settimeout(10)
        try:
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                behave(connection)
        except OSError:
            connection.close()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=keep, args=(connection,)))
            threads[-1].start()

    threads.append(threading.Thread(target=serve))
    threads[0].start()
    try:
        yield "" if path else "127.0.0.1:{1}".format(*listener.getsockname())
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join(15)


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate for 127.0.0.1; return how to serve with it, and the file to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    whole, trusted = folder / "server.pem", folder / "trusted.pem"
    public = made.public_bytes(serialization.Encoding.PEM)
    trusted.write_bytes(public)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    whole.write_bytes(private + public)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(whole)
    return serving, trusted


def tags_of(client: Any) -> Any:
    """Ask for the tags with a client of either kind, and close it."""

    async def awaited() -> Any:
        async with client:
            return await client.tags()

    if isinstance(client, AsyncTaskqClient):
        return asyncio.run(awaited())
    with client:
        return client.tags()

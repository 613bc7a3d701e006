"""What MySQL 8 asks of an account at its first connect, up to the password that it is told.

No MySQL is among the servers of the tests, and MariaDB does not know `caching_sha2_password`.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_CAPABILITIES = 0x81FFF7DF & ~0x0800  # all that matter, but for TLS
_FULL_AUTHENTICATION = b"\x01\x04"
_REFUSED = b"\xff\x15\x04#28000told"


class FakeMySQL:
    """A server that has no password in its cache, and refuses whoever has told it one.

    Attributes:
        port: Where it listens.
        told: The passwords it was told.
    """

    def __init__(self) -> None:
        self.port = 0
        self.told: list[bytes] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._salt = bytes(1 + byte % 127 for byte in os.urandom(20))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0

        async def say(data: bytes) -> bytes:
            nonlocal number
            writer.write(len(data).to_bytes(3, "little") + bytes([number]) + data)
            await writer.drain()
            head = await reader.readexactly(4)
            number = head[3] + 1
            return await reader.readexactly(int.from_bytes(head[:3], "little"))

        try:
            await say(self._greeting())
            assert await say(_FULL_AUTHENTICATION) == b"\x02"
            encrypted = await say(b"\x01" + self._public_key())
            self.told.append(self._decrypted(encrypted))
            await say(_REFUSED)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def _greeting(self) -> bytes:
        low, high = divmod(_CAPABILITIES, 1 << 16)[::-1]
        return (
            b"\x0a8.4.0\0" + (1).to_bytes(4, "little") + self._salt[:8] + b"\0"
            + low.to_bytes(2, "little") + b"\xff" + (2).to_bytes(2, "little")
            + high.to_bytes(2, "little") + bytes([21]) + bytes(10)
            + self._salt[8:] + b"\0" + b"caching_sha2_password\0"
        )  # fmt: skip

    def _public_key(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def _decrypted(self, data: bytes) -> bytes:
        sha1 = hashes.SHA1()
        text = self._key.decrypt(data, padding.OAEP(padding.MGF1(sha1), sha1, None))
        salted = (byte ^ self._salt[place % 20] for place, byte in enumerate(text))
        return bytes(salted).removesuffix(b"\0")


@asynccontextmanager
async def fake_mysql() -> AsyncIterator[FakeMySQL]:
    """Run one on loopback."""
    fake = FakeMySQL()
    server = await asyncio.start_server(fake._serve, "127.0.0.1", 0)
    async with server:
        fake.port = server.sockets[0].getsockname()[1]
        yield fake

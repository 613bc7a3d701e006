"""Read a request's body: its media type, its size while it streams in, and strict JSON."""

from collections.abc import Collection

from fastapi import Request

from taskq_server.api.errors import BodyTooLarge, InvalidJson, UnsupportedMediaType
from taskq_server.domain.errors import Rejected

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_UTF_8 = ("charset=utf-8", 'charset="utf-8"')
_DIGITS = 18


class JsonRequest(Request):
    """A request whose body has been read and parsed; FastAPI finds both where it looks.

    Attributes:
        fingerprint: SHA-256 of the canonical body, if it is known already.
    """

    def __init__(
        self, request: Request, raw: bytes, document: object, fingerprint: str | None = None
    ) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._document = document
        self.fingerprint = fingerprint

    async def body(self) -> bytes:
        """Return the bytes."""
        return self._raw

    async def json(self) -> object:
        """Return the parsed document."""
        return self._document


async def read(request: Request, accepted: Collection[str], max_bytes: int) -> bytes:
    """Return the body of `request`.

    Args:
        request: whose body nobody has read yet.
        accepted: media types that the route takes.
        max_bytes: more is refused, at once where Content-Length announces it.

    Raises:
        UnsupportedMediaType: the body is something else (RFC 9110, section 15.5.16).
        BodyTooLarge: it has more than `max_bytes` bytes.
        InvalidJson: it is empty.
    """
    headers = request.headers
    types = headers.getlist("content-type")
    refused = refusal(
        types[0] if len(types) == 1 else "",
        headers.get("content-encoding", "identity"),
        headers.get("content-length", ""),
        accepted,
        max_bytes,
    )
    if refused is not None:
        raise refused
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > max_bytes:
            raise _too_large(max_bytes)
    if not raw:
        raise InvalidJson("the body is empty")
    return bytes(raw)


def refusal(
    media_type: str, coding: str, length: str, accepted: Collection[str], max_bytes: int
) -> Rejected | None:
    """Return what is wrong with a body as its header fields announce it.

    Args:
        media_type: its Content-Type; empty if there is none.
        coding: its Content-Encoding; `identity` if there is none.
        length: its Content-Length; empty if there is none.
        accepted: media types that the route takes.
        max_bytes: longest body that it takes.
    """
    if media_type not in accepted and not _is_accepted(media_type, accepted):
        detail = f"send the body as {' or '.join(accepted)} in UTF-8"
        return UnsupportedMediaType(detail, accepted)
    if coding.strip().lower() != "identity":
        return UnsupportedMediaType("send the body without a content coding", accepted)
    if length.isdecimal() and int(length[:_DIGITS]) > max_bytes:
        return _too_large(max_bytes)
    return None


def _is_accepted(given: str, accepted: Collection[str]) -> bool:
    media_type, *parameters = (part.strip() for part in given.lower().split(";"))
    charsets = [each for each in parameters if each.startswith("charset")]
    return media_type in accepted and all(each in _UTF_8 for each in charsets)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body has more than {max_bytes} bytes")

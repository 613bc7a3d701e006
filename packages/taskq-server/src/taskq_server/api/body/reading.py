"""Read a request's body: its media type, its size while it streams in, and strict JSON."""

from collections.abc import Collection

from fastapi import Request

from taskq_server.api.errors import BodyTooLarge, InvalidJson, UnsupportedMediaType

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
    _check_media_type(request, accepted)
    _check_announced(request, max_bytes)
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > max_bytes:
            raise _too_large(max_bytes)
    if not raw:
        raise InvalidJson("the body is empty")
    return bytes(raw)


def _check_media_type(request: Request, accepted: Collection[str]) -> None:
    given = request.headers.getlist("content-type")
    if given != [JSON] and not _is_accepted(given, accepted):
        detail = f"send the body as {' or '.join(accepted)} in UTF-8"
        raise UnsupportedMediaType(detail, accepted)
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise UnsupportedMediaType("send the body without a content coding", accepted)


def _is_accepted(given: list[str], accepted: Collection[str]) -> bool:
    if len(given) != 1:
        return False
    media_type, *parameters = (part.strip() for part in given[0].lower().split(";"))
    charsets = [each for each in parameters if each.startswith("charset")]
    return media_type in accepted and all(each in _UTF_8 for each in charsets)


def _check_announced(request: Request, max_bytes: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:_DIGITS]) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body has more than {max_bytes} bytes")

"""Errors that exist only in HTTP."""

from collections.abc import Iterable

from taskq_server.domain.errors import FieldError, InvalidFields, Rejected, TaskqError, Unavailable


class InvalidJson(Rejected):
    """The body is not strict JSON (RFC 8259, without the parts that parsers read differently)."""


class NotStarted(TaskqError):
    """The application's lifespan does not run, so its services do not exist."""


class InvalidHeader(InvalidFields):
    """A header does not follow the grammar of RFC 9110."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail, [FieldError(f"/header/{name}", "invalid-header", detail)])


class BodyTooLarge(Rejected):
    """The body has more bytes than the server takes."""


class UnsupportedMediaType(Rejected):
    """The body's media type, charset or content coding is not one that the route takes."""

    def __init__(self, detail: str, accepted: Iterable[str]) -> None:
        super().__init__(detail)
        self.accepted = tuple(accepted)


class NoSuchPath(TaskqError):
    """Nothing is served under this path."""


class MisdirectedRequest(Rejected):
    """The request is meant for another host, or comes from another site's page."""


class MethodNotAllowed(TaskqError):
    """The path is served, but not with this method."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(sorted(allowed))
        super().__init__(f"this path takes {' and '.join(self.allowed)}")


class MalformedRequest(Rejected):
    """The request is not HTTP, or proxies might read it differently."""


class HeadTooLarge(Rejected):
    """The request line and the header fields are too large or too many."""


class SlowRequest(Rejected):
    """The request came too slowly."""


class TooManyConnections(Unavailable):
    """The process has no descriptors for more connections."""

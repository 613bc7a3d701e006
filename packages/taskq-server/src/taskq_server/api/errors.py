"""Errors that exist only in HTTP."""

from collections.abc import Iterable

from taskq_server.domain.errors import FieldError, InvalidFields, Rejected, TaskqError, Unavailable


class InvalidJson(Rejected):
    """The body is not strict JSON (RFC 8259, without the parts that parsers read differently).

    Send strict JSON in UTF-8: no duplicate keys, no NaN, no integers beyond 64 bits, and at
    most 32 levels of arrays and objects.
    """


class NotStarted(TaskqError):
    """The application's lifespan does not run, so its services do not exist.

    Whoever mounts the application enters its lifespan: `async with
    queue.router.lifespan_context(queue)`.
    """

    def __init__(self) -> None:
        super().__init__(
            "this application has not been started: mount it (its router cannot be included in "
            "another application), and enter `app.router.lifespan_context(app)` in a lifespan there"
        )


class InvalidHeader(InvalidFields):
    """A header does not follow the grammar of RFC 9110.

    Correct the header that `errors` points at, or leave it out.
    """

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail, [FieldError(f"/header/{name}", "invalid-header", detail)])


class BodyTooLarge(Rejected):
    """The body has more bytes than the server takes.

    Send less: keep large data elsewhere and put a reference into the payload, or send several
    batches. `TASKQ_MAX_BODY_BYTES` and `TASKQ_MAX_BATCH_BYTES` are the limits.
    """


class UnsupportedMediaType(Rejected):
    """The body's media type, charset or content coding is not one that the route takes.

    Send the body as one of the media types in the header `Accept` of the answer (`Accept-Patch`
    for a change), in UTF-8 and without a content coding.
    """

    def __init__(self, detail: str, accepted: Iterable[str]) -> None:
        super().__init__(detail)
        self.accepted = tuple(accepted)


class NoSuchPath(TaskqError):
    """Nothing is served under this path.

    Check the address, with the prefix of a proxy if there is one, and that an id is the whole
    id of a task.
    """


class MisdirectedRequest(Rejected):
    """The request is meant for another host, or comes from another site's page.

    Send it to a name of the server that is in `TASKQ_ALLOWED_HOSTS`: a proxy that passes on the
    caller's Host needs its name there. A site whose pages call the API needs its origin in
    `TASKQ_CORS_ORIGINS`.
    """


class MethodNotAllowed(TaskqError):
    """The path is served, but not with this method.

    Use one of the methods in the header `Allow` of the answer.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(sorted(allowed))
        super().__init__(f"this path takes {' and '.join(self.allowed)}")


class MalformedRequest(Rejected):
    """The request is not HTTP, or proxies might read it differently.

    Use an HTTP client that writes HTTP/1.1, and `chunked` as the only transfer coding.
    """


class HeadTooLarge(Rejected):
    """The request line and the header fields are too large or too many.

    Send less than 16 kB and at most 100 header fields: large cookies of a proxy are the usual
    reason.
    """


class SlowRequest(Rejected):
    """The request came too slowly.

    Send the head within ten seconds and at least 1 kB of the body in each ten; behind a slow
    network, let a proxy collect the request.
    """


class TooManyConnections(Unavailable):
    """The process has no descriptors for more connections.

    Send the request again after the seconds in `Retry-After`, and reuse connections; operators
    raise the limit of open files of the process, or start another one.
    """

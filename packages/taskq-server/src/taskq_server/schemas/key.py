"""Requests about API keys, and the key on the wire: never with a hash, with the key itself once."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from taskq_server.domain import limits, rate_limits, scopes
from taskq_server.domain.caller import Caller
from taskq_server.domain.keys import USUAL_OVERLAP_SECONDS, ApiKey, NewKey
from taskq_server.schemas.fields import (
    EDGED_PATTERN,
    NUMBER_IN_QUERY,
    Answer,
    Moment,
    Request,
)

_GLOB = r"(?:[A-Za-z0-9_.:/-]+(?:\*[A-Za-z0-9_.:/-]*){0,8}|(?:\*[A-Za-z0-9_.:/-]*){1,8})"
_SCOPE_PATTERN = rf"^(?:{'|'.join(sorted(scopes.PLAIN))}|{scopes.RUN}{_GLOB})$"


def _known(scope: str) -> str:
    problem = scopes.problem(scope)
    if problem is not None:
        raise ValueError(problem)
    return scope


Scope = Annotated[
    str,
    AfterValidator(_known),
    Field(
        json_schema_extra={
            "pattern": _SCOPE_PATTERN,
            "maxLength": len(scopes.RUN) + limits.HANDLER_LENGTH,
        }
    ),
]
KeyName = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.KEY_NAME_LENGTH, pattern=EDGED_PATTERN)
]
NamespaceName = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.NAMESPACE_LENGTH, pattern=r"^\S+$")
]
RateLimit = Annotated[
    str,
    StringConstraints(pattern=rate_limits.PATTERN),
]


class KeyCreate(Request):
    """A key to make."""

    name: KeyName = Field(description="for people")
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=limits.KEY_SCOPES)] = Field(
        description="what callers with the key may do; at least one"
    )
    namespace: NamespaceName | None = Field(
        None,
        description="null: the caller's own, or `TASKQ_NAMESPACE` for an operator's key; `*` makes "
        "another operator's key",
    )
    expires_at: Moment | None = Field(None, description="opens nothing from then on; null: never")
    rate_limit: RateLimit | None = Field(
        None, description="most requests, such as `600/minute`; null: the server's default"
    )

    def as_new_key(self) -> NewKey:
        """Return the same as a plain value."""
        return NewKey(
            name=self.name,
            scopes=tuple(dict.fromkeys(self.scopes)),
            namespace=self.namespace,
            expires_at=self.expires_at,
            rate_limit=self.rate_limit,
        )


class KeyRotate(Request):
    """How to replace the secret of a key."""

    overlap_seconds: Annotated[float, Field(strict=True, ge=0, le=limits.KEY_OVERLAP_SECONDS)] = (
        Field(
            USUAL_OVERLAP_SECONDS,
            description="how long the secret before still opens; 0: no longer",
        )
    )


class KeyQuery(Request):
    """Filter and page of `GET /keys`."""

    namespace: NamespaceName | None = Field(None, description="keys of this namespace")
    limit: Annotated[int, Field(ge=1, le=limits.PAGE_ITEMS), NUMBER_IN_QUERY] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=limits.CURSOR_LENGTH)] | None = Field(
        None, description="`next_cursor` of the page before"
    )


class KeyRead(Answer):
    """A key, without its secret."""

    id: str = Field(description="the public part of the key")
    name: str
    namespace: str = Field(description="`*`: the key of an operator, which belongs to none")
    scopes: list[str]
    rate_limit: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="at most a minute before its last use")
    revoked_at: datetime | None
    previous_until: datetime | None = Field(
        description="the secret before the last rotation opens until then"
    )

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Return the form of a key on the wire."""
        return cls.model_validate(key, from_attributes=True)


class KeyCreated(KeyRead):
    """A key that was made, or has a new secret: the only answer that has it."""

    key: str = Field(description="the whole key; it is shown this once")


class MadeOperation(Answer):
    """A bulk operation that a key has made."""

    namespace: str
    id: UUID


class MadeSchedule(Answer):
    """A schedule that a key has set."""

    namespace: str
    name: str


class KeyRevoked(KeyRead):
    """A key that is revoked, and what goes on by the rights that it had."""

    operations: list[MadeOperation] = Field(
        description="bulk operations that it has begun and that run, the newest first"
    )
    schedules: list[MadeSchedule] = Field(
        description="schedules that it has set: the oldest, if they are more than "
        f"{limits.KEY_SCHEDULES}"
    )


class KeyPage(Answer):
    """One page of keys, the newest first."""

    items: list[KeyRead]
    next_cursor: str | None


class CallerRead(Answer):
    """The caller: its key, or everybody where no key is asked for."""

    id: str | None = Field(description="null where no key is asked for")
    name: str | None
    namespace: str = Field(description="`*`: an operator who has named none")
    scopes: list[str]
    rate_limit: str | None
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="at most a minute before its last use")

    @classmethod
    def of(cls, caller: Caller, key: ApiKey | None) -> Self:
        """Return the form of a caller on the wire, whose key is None where none is asked for."""
        shown = {name: getattr(key, name, None) for name in cls.model_fields}
        scopes = sorted(caller.scopes) if key is None else list(key.scopes)
        return cls.model_validate({**shown, "namespace": caller.namespace, "scopes": scopes})

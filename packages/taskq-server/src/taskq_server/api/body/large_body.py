"""Check large bodies in pieces, with the result of `strict_json` and FastAPI, but with pauses.

Large bodies also have limits that no valid body exceeds: the values that a payload may have, plus a
few for the fields around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from pydantic import JsonValue, ValidationError

from taskq_server.api.body.large_json import Cut, LargeText
from taskq_server.api.body.strict_json import MAX_DEPTH, UNREADABLE, check, pointer, refusal, unique
from taskq_server.core.config import Settings
from taskq_server.core.turns import Pace
from taskq_server.domain.errors import FieldError, InvalidFields, Rejected, TooManyValues
from taskq_server.schemas.task import PackedTask, TaskCreate
from taskq_server.services.submission import canonical

_BESIDE = 2_000
"""Most values of a body besides payloads, because a valid body has at most 1,000 ids or tasks."""

_ENOUGH_ERRORS = 100
_ENVELOPE = 2
_STAND_IN = TaskCreate(handler="x")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A large body.

    Attributes:
        document: the input of FastAPI's validation; valid tasks are `TaskCreate` already.
        fingerprint: SHA-256 of the canonical body, if the caller needs it.
    """

    document: object
    fingerprint: str | None = None


class LargeBody:
    """A large body that is checked piece by piece.

    Args:
        raw: the bytes of the body.
        settings: the limits of sizes.
        pace: the pace of this check.
    """

    def __init__(self, raw: bytes, settings: Settings, pace: Pace) -> None:
        self._raw = raw
        self._most = settings.max_payload_values
        self._longest = settings.max_body_bytes
        self._pace = pace

    async def document(self, envelope: int = 0) -> JsonValue:
        """Parse a body that is not a list of tasks.

        Args:
            envelope: levels that do not count towards `MAX_DEPTH`.

        Raises:
            InvalidJson: the body is not strict JSON.
            InvalidFields: a value in the body breaks a rule.
        """
        text = await self._text()
        try:
            document = await self._value(text, ())
            text.end()
        except UNREADABLE as error:
            raise refusal(error) from error
        await self._pace.rest()
        check(document, MAX_DEPTH + envelope)
        _check_fields(document, ())
        await self._pace.rest()
        return document

    async def task(self, *, keyed: bool) -> Parsed:
        """Parse a task, and validate it; raise the same errors as `document`.

        Args:
            keyed: whether the fingerprint is needed.
        """
        document = await self.document()
        fingerprint = sha256(canonical(document)).hexdigest() if keyed else None
        await self._pace.rest()
        try:
            return Parsed(TaskCreate.model_validate(document), fingerprint)
        except ValidationError:
            return Parsed(_without_payload(document), fingerprint)

    async def batch(self, *, keyed: bool) -> Parsed:
        """Parse a list of tasks, and validate them one by one; see `task`."""
        text = await self._text()
        if text.peek() != "{":
            return Parsed(await self.document(envelope=_ENVELOPE))
        items = _Items(packed=len(self._raw) > self._longest, keyed=keyed)
        try:
            document = await self._members(text, items)
        except UNREADABLE as error:
            raise refusal(error) from error
        except Cut as cut:  # raised by the name of a member
            raise self._too_large(cut, "") from None
        if len(items.documents) > _BESIDE:
            return Parsed({"items": items.documents})
        check(dict.fromkeys(document), _ENVELOPE)
        for key, value in document.items():
            if key == "items":
                items.refuse()
            check(value, MAX_DEPTH + _ENVELOPE - 1, (key,))
        _check_fields(document, ())
        if document.get("items") == []:
            return Parsed({**document, "items": items.documents}, items.fingerprint())
        return Parsed(document)

    async def _members(self, text: LargeText, items: "_Items") -> dict[str, JsonValue]:
        """Read the outer object without its tasks, which become `items`."""
        pairs: list[tuple[str, JsonValue]] = []
        for key in text.members():
            if key == "items" and text.peek() == "[":
                pairs.append((key, []))
                for _ in text.elements():
                    await self._item(text, items)
                    if len(items.documents) > _BESIDE:
                        return {}
            else:
                pairs.append((key, await self._value(text, (key,))))
            if len(pairs) > _BESIDE:
                raise TooManyValues.at("", _BESIDE)
        text.end()
        return unique(pairs)

    async def _text(self) -> LargeText:
        await self._pace.rest()
        try:
            return LargeText(self._raw.decode("utf-8"), self._longest)
        except UnicodeDecodeError as error:
            raise refusal(error) from error

    async def _item(self, text: LargeText, items: "_Items") -> None:
        item = await self._value(text, ("items", len(items.documents)))
        await self._pace.rest()
        items.check(item)
        await self._pace.rest()
        items.add(item)

    async def _value(self, text: LargeText, within: Sequence[str | int]) -> JsonValue:
        await self._pace.rest()
        start, most = text.position, self._most + _BESIDE
        try:
            return text.value(most)
        except Cut as cut:
            await self._pace.rest()
            where = pointer([*within, *text.member_at_fault(start, most)])
            raise self._too_large(cut, where) from None

    def _too_large(self, cut: Cut, where: str) -> InvalidFields:
        if not cut.too_long:
            return TooManyValues.at(where, self._most)
        detail = f"there are more than {self._longest} bytes in it"
        return InvalidFields(detail, [FieldError(where, "payload-too-large", detail)])


class _Items:
    """The tasks of a batch that have been read.

    Args:
        packed: whether to keep payloads as text.
        keyed: whether the fingerprint is needed.
    """

    def __init__(self, *, packed: bool, keyed: bool) -> None:
        self.documents: list[object] = []
        self._packed = packed
        self._canonical = sha256(b'{"items":[') if keyed else None
        self._bad: Rejected | None = None
        self._errors = 0

    def check(self, item: JsonValue) -> None:
        """Check the values of the next task; keep the first error until all syntax is right."""
        within = ("items", len(self.documents))
        try:
            if self._bad is None:
                check(item, MAX_DEPTH, within)
                _check_fields(item, within)
        except Rejected as error:
            self._bad = error

    def add(self, item: JsonValue) -> None:
        """Validate the checked task, or keep it as it is, so that FastAPI reports its errors."""
        if self._bad is not None or self._errors >= _ENOUGH_ERRORS:
            self.documents.append(_STAND_IN)
            return
        if self._canonical is not None:
            self._canonical.update(b"," * bool(self.documents) + canonical(item))
        try:
            new = TaskCreate.model_validate(item)
        except ValidationError as error:
            self._errors += error.error_count()
            self.documents.append(_without_payload(item))
        else:
            self.documents.append(PackedTask.of(new) if self._packed else new)

    def refuse(self) -> None:
        """Raise the error of the first bad value, if there is one."""
        if self._bad is not None:
            raise self._bad

    def fingerprint(self) -> str | None:
        """Return the fingerprint of a body that consists of its tasks only."""
        if self._canonical is None:
            return None
        self._canonical.update(b"]}")
        return self._canonical.hexdigest()


def _check_fields(document: JsonValue, within: Sequence[str | int]) -> None:
    """Refuse more values around a payload than a valid body has, because each may be an error."""
    left = _BESIDE
    members = document if isinstance(document, dict) else {}
    for key, member in members.items():
        if key != "payload":
            left -= _count(member)
        if left < 0:
            raise TooManyValues.at(pointer((*within, key)), _BESIDE)


def _count(value: JsonValue) -> int:
    if not isinstance(value, dict | list):
        return 1
    return 1 + sum(map(_count, value.values() if isinstance(value, dict) else value))


def _without_payload(document: JsonValue) -> JsonValue:
    """Return the document with an empty payload; FastAPI finds the same errors, but sooner."""
    if isinstance(document, list):
        return []
    if isinstance(document, dict) and isinstance(document.get("payload"), dict):
        return {**document, "payload": {}}
    return document

"""The form that submits a task: its payload as fields or JSON text, and the task's own fields."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

from pydantic import JsonValue

from taskq_server.api.body import strict_json
from taskq_server.dashboard import form_values
from taskq_server.dashboard.form_fields import Empty, Field, Kind, as_json_input
from taskq_server.dashboard.schema_form import PAYLOAD, fields_of
from taskq_server.domain.errors import FieldError, InvalidFields
from taskq_server.schemas.task import TaskCreate

PAYLOAD_TEXT = as_json_input(PAYLOAD)
"""The name of the input for the whole payload as JSON text."""

_GONE = "the handler's schema has no such member any more, or says it in another way"


@dataclass(frozen=True, slots=True)
class SubmitForm:
    """The form of one handler, with what its inputs hold.

    Attributes:
        own: the fields of the task itself.
        payload: the fields of its payload; None where that is JSON text.
        values: by the name of the input; what is not there is empty.
    """

    own: tuple[Field, ...]
    payload: tuple[Field, ...] | None
    values: Mapping[str, str]

    @classmethod
    def filled(
        cls,
        schema: Mapping[str, Any],
        payload: Mapping[str, JsonValue],
        own: Mapping[str, JsonValue],
    ) -> Self:
        """Return the form that says a payload, with fields if the schema has some for all of it.

        Args:
            schema: of the handler.
            payload: empty for a new form.
            own: members of the task besides.
        """
        fields = fields_of(schema)
        inner = None if fields is None else form_values.fill(fields, payload)
        outer = form_values.fill(own_fields(), own)
        assert outer is not None  # there is a field for each member of a task
        if inner is None:
            return cls(outer.fields, None, {**outer.values, PAYLOAD_TEXT: _text(payload)})
        return cls(outer.fields, inner.fields, {**outer.values, **inner.values})

    @classmethod
    def sent(cls, schema: Mapping[str, Any], values: Mapping[str, str]) -> Self:
        """Return the form as it was sent."""
        fields = None if PAYLOAD_TEXT in values else fields_of(schema)
        payload = None if fields is None else form_values.as_sent(fields, values)
        return cls(form_values.as_sent(own_fields(), values), payload, values)

    def document(self, handler: str) -> dict[str, JsonValue]:
        """Return the body of a submit that the form says.

        Raises:
            InvalidFields: an input holds no JSON where it has to, or its field is not there now.
        """
        own = form_values.read(self.own, self.values)
        payload, errors = self._payload()
        wrong = (*own.errors, *errors, *self._strangers())
        if wrong:
            raise InvalidFields(wrong[0].detail, wrong)
        document: dict[str, JsonValue] = {"handler": handler, PAYLOAD[1:]: payload, **own.members}
        strict_json.check(document, strict_json.MAX_DEPTH)
        return document

    def with_json(self) -> Self:
        """Return the same form with its payload as JSON text.

        Raises:
            InvalidFields: an input holds no JSON where it has to.
        """
        payload, errors = self._payload()
        if errors:
            raise InvalidFields(errors[0].detail, errors)
        return replace(
            self, payload=None, values={**self._own_values, PAYLOAD_TEXT: _text(payload)}
        )

    def with_fields(self, schema: Mapping[str, Any]) -> Self:
        """Return the same form with fields for its payload.

        Raises:
            InvalidFields: its JSON text is none, or says what no field can say.
        """
        payload, errors = self._payload()
        fields = fields_of(schema)
        if not errors and fields is not None and isinstance(payload, dict):
            filled = form_values.fill(fields, payload)
            if filled is not None:
                values = {**self._own_values, **filled.values}
                return replace(self, payload=filled.fields, values=values)
        detail = "the payload has members for which there are no fields: they need JSON text"
        wrong = errors or (FieldError(PAYLOAD, "no-such-field", detail),)
        raise InvalidFields(wrong[0].detail, wrong)

    def beside(self, errors: Iterable[FieldError]) -> dict[str, list[str]]:
        """Return the sentences of errors by the pointer of the field that they are about.

        What is about no field is under the empty text.
        """
        fields = {one.pointer: one for one in _every((*self.own, *(self.payload or ())))}
        found: dict[str, list[str]] = {}
        for error in errors:
            where = _missing(error, fields) or error.pointer
            while where and where not in fields and (self.payload is not None or where != PAYLOAD):
                where = where.rpartition("/")[0]
            inner = error.pointer[len(where) :]  # empty of a member that is missing
            sentence = f"{inner}: {error.detail}" if inner else error.detail
            found.setdefault(where, []).append(sentence)
        return found

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said of the task but its payload."""
        said = (
            self.values.get(one.input) or self.values.get(one.empty_input) == Empty.EMPTY
            for one in self.own
        )
        return not any(said)

    @property
    def _own_values(self) -> dict[str, str]:
        names = [name for name in form_values.inputs(self.own) if name in self.values]
        return {name: self.values[name] for name in names}

    def _payload(self) -> tuple[JsonValue, tuple[FieldError, ...]]:
        if self.payload is not None:
            read = form_values.read(self.payload, self.values)
            return read.members, read.errors
        try:
            return form_values.json_at(PAYLOAD, self.values.get(PAYLOAD_TEXT, "")), ()
        except InvalidFields as error:
            return None, error.errors

    def _strangers(self) -> tuple[FieldError, ...]:
        """Return an error for each input that has a text, and no field in this form."""
        known = {*form_values.inputs((*self.own, *(self.payload or ()))), PAYLOAD_TEXT}
        named = ((name, name.removeprefix("json:")) for name, text in self.values.items() if text)
        return tuple(
            FieldError(pointer, "unknown-field", _GONE)
            for name, pointer in named
            if pointer.startswith(f"{PAYLOAD}/") and name not in known
        )


@cache
def own_fields() -> tuple[Field, ...]:
    """Return the fields of a task itself; one that is left empty is left out."""
    described = TaskCreate.model_json_schema()["properties"]
    members = {
        name: {**member["anyOf"][0], "description": member.get("description", "")}
        for name, member in described.items()
        if name not in ("handler", "payload")
    }
    fields = fields_of({"properties": members}, within="")
    assert fields is not None
    return tuple(
        one if one.kind is Kind.LINES else replace(one, empties=(Empty.ABSENT,)) for one in fields
    )


def _every(fields: Iterable[Field]) -> Iterable[Field]:
    for one in fields:
        yield one
        yield from _every(one.members)


def _missing(error: FieldError, fields: Mapping[str, Field]) -> str | None:
    """Return the pointer to the member that the validator misses in an object."""
    for pointer, one in fields.items():
        name = json.dumps(one.name, ensure_ascii=False)
        is_meant = one.is_required and error.detail == f"{name} is a required property"
        if is_meant and pointer.rpartition("/")[0] == error.pointer:
            return pointer
    return None


def _text(payload: object) -> str:
    return json.dumps(payload, ensure_ascii=False, indent=2)

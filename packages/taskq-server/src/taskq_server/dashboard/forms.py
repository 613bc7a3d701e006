"""Read the bodies of forms."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError

from taskq_server.api import problems
from taskq_server.api.body import reading
from taskq_server.api.dependencies import runtime_of
from taskq_server.domain.errors import FieldError, InvalidFields

_MEDIA_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 2_000
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,2})?")

Model = TypeVar("Model", bound=BaseModel)


class Form:
    """The fields of a form, in their order; those that were left empty count as not there."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.fields = fields

    def get(self, name: str) -> str | None:
        """Return the value of a field; None where it is empty or missing.

        Raises:
            InvalidFields: the form has it twice.
        """
        found = self.all(name)
        if len(found) > 1:
            detail = "give it once"
            raise InvalidFields(f"{name}: {detail}", [FieldError(f"/{name}", "repeated", detail)])
        return found[0] if found else None

    def all(self, name: str) -> list[str]:
        """Return the values of a field that may be there several times."""
        return [value for key, value in self.fields if key == name and value]

    def given(self, *names: str) -> dict[str, str]:
        """Return the fields of some names that are not empty."""
        found = {name: self.get(name) for name in names}
        return {name: value for name, value in found.items() if value is not None}


async def read(request: Request) -> Form:
    """Return the form that a page has sent.

    Raises:
        UnsupportedMediaType: the body is no form.
        BodyTooLarge: it is larger than a body of the API may be.
        InvalidFields: it is not UTF-8, or has too many fields.
    """
    if request.headers.get("content-length") == "0":
        return Form([])
    most = runtime_of(request.app).settings.max_body_bytes
    raw = await reading.read(request, [_MEDIA_TYPE], most)
    try:
        fields = parse_qsl(
            raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        detail = f"send a form in UTF-8, with at most {_MOST_FIELDS} fields"
        raise InvalidFields(detail, [FieldError("", "invalid-form", detail)]) from None
    # Browsers send the ends of lines as CR LF (HTML, "constructing the entry list").
    return Form([(name, value.replace("\r\n", "\n")) for name, value in fields])


def parsed(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return what the API would take from a body with these members.

    Raises:
        InvalidFields: it would not take them.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # FastAPI says of each error that it is in the body, which those of a whole model need.
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise problems.invalid_fields(errors) from None


def with_numbers(values: Mapping[str, str]) -> dict[str, Any]:
    """Return values of a form as the numbers that they are; other texts stay as they are."""
    return {name: _number(value) for name, value in values.items()}


def _number(text: str) -> int | float | str:
    if _NUMBER.fullmatch(text) is None:
        return text
    return float(text) if set(text) & set(".eE") else int(text)

"""The JSON Schema of a handler's payload. Workers publish it, and the API does not trust it."""

import json
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from taskq_server.domain.errors import UnusableHandler
from taskq_server.schemas.payload_errors import Explanation, refuse
from taskq_server.schemas.payload_formats import FORMATS

_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class PayloadSchema:
    """A compiled schema.

    Attributes:
        document: the schema.
        validator: checks a payload against the schema.
        explanation: finds the mistakes in a payload that does not fit.
    """

    document: dict[str, Any]
    validator: "jsonschema_rs.Validator"
    explanation: Explanation


def compile_schema(handler: str, text: str) -> PayloadSchema:
    """Compile a schema that a worker is to publish or has published.

    Nothing is fetched, so a schema must contain everything that it refers to.

    Args:
        handler: the handler whose payload the schema describes.
        text: the schema as JSON.

    Raises:
        UnusableHandler: the text is not a JSON object, or the schema cannot be compiled.
    """
    try:
        # Older workers published schemas with NaN and infinity as defaults.
        document = json.loads(text, parse_constant=lambda _: None)
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")
        validator = jsonschema_rs.validator_for(
            document, retriever=refuse, formats=FORMATS, validate_formats=True
        )
        return PayloadSchema(document, validator, Explanation(document))
    except Exception as error:
        reason = error.message if isinstance(error, jsonschema_rs.ValidationError) else str(error)
        reason = " ".join(reason.encode("utf-8", "replace").decode().split())[:_LONGEST_REASON]
        raise UnusableHandler.because(
            f"handler {handler}: the JSON Schema of its payload cannot be used: {reason}"
        ) from None

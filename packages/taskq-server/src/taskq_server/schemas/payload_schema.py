"""The JSON Schema of a handler's payload. Workers write it, and nobody trusts what they wrote."""

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
    """A schema that can be used.

    Attributes:
        document: the schema.
        validator: checks a payload against it.
        explanation: says why one does not fit.
    """

    document: dict[str, Any]
    validator: "jsonschema_rs.Validator"
    explanation: Explanation


def compile_schema(handler: str, text: str) -> PayloadSchema:
    """Compile what a worker wants to publish, or has published.

    Nothing is fetched: what a schema refers to must be in it.

    Args:
        handler: whose payload it describes.
        text: the schema as JSON.

    Raises:
        UnusableHandler: it is no JSON object, or no schema that can be compiled.
    """
    try:
        # NaN and infinity are in schemas that older workers published, as defaults.
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

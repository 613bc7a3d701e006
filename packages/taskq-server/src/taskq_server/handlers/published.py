"""The JSON Schema by which the API validates payloads, as close to pydantic's rules as possible."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

_AROUND = frozenset({"model-field", "dataclass-field", "typed-dict-field", "default", "nullable"})


_ENCODED = ("base64", "base64url")
_KEYS = {"int": "integer", "float": "number", "bool": "boolean", "decimal": "decimal"}


class PublishedSchema(GenerateJsonSchema):
    """Pydantic's schema, plus all aliases, the schemes of URLs, and the formats workers check."""

    _strict = False

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """Leave out a format that only annotates a string, because its worker takes any string."""
        around = self._strict
        if "config" in schema:  # the core schema's, because it includes what dataclasses inherit
            self._strict = schema["config"].get("strict", False)
        published = super().generate_inner(schema)
        self._strict = around
        inner = schema
        while inner["type"] in _AROUND:
            inner = inner["schema"]
        if inner["type"] == "str":
            published.pop("format", None)
        elif _is_encoded_text(inner) and published.get("format") in _ENCODED:
            published["format"] += "-text"
        return published

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        """Publish whether a date is strict, which means without a time."""
        return self._refined(super().date_schema(schema), schema)

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        """Publish whether a time zone is required or forbidden, and whether a day alone will do."""
        zone = schema.get("tz_constraint")
        of_zone = f"-{zone}" if isinstance(zone, str) else ""
        return self._refined(super().datetime_schema(schema), schema, of_zone)

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:
        """Publish that a text is a complex number."""
        return {**super().complex_schema(schema), "format": "complex"}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Publish a format, because pydantic's pattern refuses exponents, or takes any text."""
        published = super().decimal_schema(schema)
        for branch in published.get("anyOf", [published]):
            if branch.get("type") == "string":
                branch.pop("pattern", None)
                branch["format"] = "decimal"
        return published

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        """Publish the allowed schemes of a URL, and whether it must name a host."""
        return self._of_url(super().url_schema(schema), schema)

    def multi_host_url_schema(self, schema: core_schema.MultiHostUrlSchema) -> JsonSchemaValue:
        """Publish the same for URLs with several hosts."""
        return self._of_url(super().multi_host_url_schema(schema), schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Publish the format of keys that are numbers, because pydantic's schema takes any key."""
        published = super().dict_schema(schema)
        if (keys := schema.get("keys_schema")) and keys["type"] in _KEYS:
            published["propertyNames"] = {"format": _KEYS[keys["type"]]}
        return published

    def model_fields_schema(self, schema: core_schema.ModelFieldsSchema) -> JsonSchemaValue:
        """Publish all aliases of a field that has several."""
        published = super().model_fields_schema(schema)
        for name, field in schema["fields"].items():
            alias = field.get("validation_alias")
            shown = self._get_alias_name(field, name)
            if isinstance(alias, list) and shown in published["properties"]:
                _offer(published, shown, alias)
        return published

    def _of_url(self, published: JsonSchemaValue, schema: Any) -> JsonSchemaValue:
        if schemes := schema.get("allowed_schemes"):
            published["pattern"] = rf"^\s*({'|'.join(map(_in_any_case, schemes))}):"
        # A default port needs a host, too.
        needs_host = schema.get("host_required") or schema.get("default_port") is not None
        has_host = not needs_host or schema.get("default_host") is not None
        return self._refined(published, schema, "" if has_host else "-with-host")

    def _refined(
        self, published: JsonSchemaValue, schema: Any, refinement: str = ""
    ) -> JsonSchemaValue:
        """Mark the format of strict types, which take fewer texts."""
        if "format" in published:
            strict = schema.get("strict", self._strict)
            published["format"] += refinement + ("-strict" if strict else "")
        return published


def _is_encoded_text(schema: Any) -> bool:
    """Whether the decoded bytes must be text."""
    return bool(schema["type"] == "function-after" and schema["schema"]["type"] == "str")


def _offer(published: dict[str, Any], shown: str, alias: list[Any]) -> None:
    """Publish all keys of a field in place of the one key that pydantic shows."""
    paths = alias if isinstance(alias[0], list) else [alias]
    of_field = published["properties"].pop(shown)
    for first, *rest in paths:
        published["properties"].setdefault(first, {} if rest else of_field)
    if shown in published.get("required", ()):
        published["required"].remove(shown)
        any_of = [{"required": [first]} for first in dict.fromkeys(path[0] for path in paths)]
        published.setdefault("allOf", []).append({"anyOf": any_of})


def _in_any_case(scheme: str) -> str:
    return "".join(f"[{one.upper()}{one.lower()}]" for one in scheme)

"""The JSON Schema that the API judges payloads by, as close to what pydantic takes as it can be."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

_AROUND = frozenset({"model-field", "dataclass-field", "typed-dict-field", "default", "nullable"})


_ENCODED = ("base64", "base64url")
_KEYS = {"int": "integer", "float": "number", "bool": "boolean", "decimal": "decimal"}


class PublishedSchema(GenerateJsonSchema):
    """Pydantic's schema, with every alias and the schemes of URLs, and formats as workers check."""

    _strict = False

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """Leave out a format that is only a remark on a string: its worker takes any string."""
        around = self._strict
        if "config" in schema:  # of the core, which validates: it has what dataclasses inherit
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
        """Say whether a date is strict: then it has no time."""
        return self._refined(super().date_schema(schema), schema)

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        """Say whether it must have a time zone, or none, and whether a day alone will do."""
        zone = schema.get("tz_constraint")
        of_zone = f"-{zone}" if isinstance(zone, str) else ""
        return self._refined(super().datetime_schema(schema), schema, of_zone)

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:
        """Say that a text is a complex number."""
        return {**super().complex_schema(schema), "format": "complex"}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Say that a text is a number: pydantic's pattern refuses exponents, or takes all."""
        published = super().decimal_schema(schema)
        for branch in published.get("anyOf", [published]):
            if branch.get("type") == "string":
                branch.pop("pattern", None)
                branch["format"] = "decimal"
        return published

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        """Say which schemes a URL may have, and whether it must name a host."""
        return self._of_url(super().url_schema(schema), schema)

    def multi_host_url_schema(self, schema: core_schema.MultiHostUrlSchema) -> JsonSchemaValue:
        """Say the same of URLs with several hosts."""
        return self._of_url(super().multi_host_url_schema(schema), schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Say what keys are texts of, where they are numbers: pydantic's schema takes any key."""
        published = super().dict_schema(schema)
        if (keys := schema.get("keys_schema")) and keys["type"] in _KEYS:
            published["propertyNames"] = {"format": _KEYS[keys["type"]]}
        return published

    def model_fields_schema(self, schema: core_schema.ModelFieldsSchema) -> JsonSchemaValue:
        """Say that a field with several aliases has any of them."""
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
        """Name the format of texts that strict types take, which are fewer."""
        if "format" in published:
            strict = schema.get("strict", self._strict)
            published["format"] += refinement + ("-strict" if strict else "")
        return published


def _is_encoded_text(schema: Any) -> bool:
    """Whether what is decoded has to be text, too."""
    return bool(schema["type"] == "function-after" and schema["schema"]["type"] == "str")


def _offer(published: dict[str, Any], shown: str, alias: list[Any]) -> None:
    """Publish all keys that a field is read from, instead of the one that pydantic shows."""
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

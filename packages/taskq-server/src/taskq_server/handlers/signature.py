"""The signature of a handler as a pydantic model, and a payload as the arguments of a call."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers import recursion
from taskq_server.handlers.context import Context
from taskq_server.handlers.declare import Fatal

_PREFIX = "payload_"


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a handler.

    Attributes:
        model: validates the payload; its aliases are the payload's keys.
        parameters: names of the parameters that the payload fills.
        context: name of the parameter that receives the context, or None.
        open: whether `**` takes any further key.
        returns: the type of the result; None if it is not annotated.
        doubles: whether validation can take exponential time; see `recursion`.
    """

    model: type[BaseModel]
    parameters: tuple[str, ...]
    context: str | None
    open: bool
    returns: object = None
    doubles: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters without a default."""
        fields = self.model.model_fields
        return tuple(one for one in self.parameters if fields[_PREFIX + one].is_required())

    def arguments(self, payload: str, context: Context[Any] | None) -> dict[str, Any]:
        """Return the keyword arguments for one call.

        Args:
            payload: the task's payload as JSON text, because strict models read dates only there.
            context: the attempt's context, for a handler that takes it.

        Raises:
            Fatal: the payload does not fit.
        """
        try:
            values = self._validated(payload)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "/".join(str(part) for part in first["loc"])
            raise Fatal(f"the payload does not fit the handler: {where}: {first['msg']}") from None
        arguments = dict(values.model_extra or {}) if self.open else {}
        arguments |= {name: getattr(values, _PREFIX + name) for name in self.parameters}
        if self.context is not None:
            arguments[self.context] = context
        return arguments

    def payload(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload that calls the handler with these arguments.

        Args:
            arguments: by the names of the parameters.

        Raises:
            ValueError: an argument cannot be written as JSON.
        """
        given = {
            _PREFIX + name if name in self.parameters else name: value
            for name, value in arguments.items()
        }
        written = self.model.model_construct(**given).model_dump(
            mode="json", by_alias=True, exclude_unset=True, warnings=False
        )
        keys = {one.serialization_alias: _key(one) for one in self.model.model_fields.values()}
        return {keys.get(key) or key: value for key, value in written.items()}

    def _validated(self, payload: str) -> BaseModel:
        try:
            return self.model.model_validate_json(payload)
        except ValidationError as error:
            if error.errors(include_url=False)[0]["type"] != "json_invalid":
                raise
        return self.model.model_validate(json.loads(payload))  # nested too deep for pydantic's JSON


def read(function: Callable[..., Any], name: str) -> Signature:
    """Read a handler's signature.

    Raises:
        ConfigurationError: a parameter cannot be filled from a JSON object.
    """
    try:
        hints = get_type_hints(_annotated(function), include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigurationError(f"handler {name}: cannot read its annotations: {error}") from error
    fields: dict[str, Any] = {}
    parameters: list[str] = []
    context: str | None = None
    extra = False
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name)
        if _is_context(hint):
            context = parameter.name
        elif parameter.kind is parameter.VAR_KEYWORD:
            extra = True
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise ConfigurationError(
                f"handler {name}: parameter {parameter.name} cannot be positional: "
                "the payload is a JSON object"
            )
        else:
            fields[_PREFIX + parameter.name] = (hints.get(parameter.name, Any), _default(parameter))
            parameters.append(parameter.name)
    try:
        config = ConfigDict(
            extra="allow" if extra else "forbid",
            alias_generator=lambda field: field.removeprefix(_PREFIX),
        )
        model = create_model(name, __config__=config, **fields)
    except PydanticUserError as error:
        reason = error.message.partition(". ")[0]
        raise ConfigurationError(f"handler {name}: cannot read its parameters: {reason}") from error
    doubles = recursion.doubles(model.__pydantic_core_schema__)
    return Signature(model, tuple(parameters), context, extra, hints.get("return"), doubles)


def _is_context(hint: object) -> bool:
    """Whether a hint is the context, typed or not, also as `Context | None` or in `Annotated`."""
    is_it = hint is Context or get_origin(hint) is Context
    return is_it or any(map(_is_context, get_args(hint)))


def _default(parameter: inspect.Parameter) -> Any:
    if isinstance(parameter.default, FieldInfo):
        return parameter.default
    return Field(... if parameter.default is parameter.empty else parameter.default)


def _key(field: FieldInfo) -> str | None:
    """Return the key of a payload that fills a field."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return next((one for one in choices if isinstance(one, str)), None)


def described(function: Callable[..., Any]) -> str:
    """Return a handler's description: its own docstring, not that of a class like `partial`."""
    return inspect.getdoc(_annotated(function)) or ""


def _annotated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that has the annotations of a `partial` or of a callable object."""
    while isinstance(function, partial):
        function = function.func
    if inspect.isroutine(function) or hasattr(function, "__wrapped__"):
        return function
    called: Callable[..., Any] = type(function).__call__
    return called

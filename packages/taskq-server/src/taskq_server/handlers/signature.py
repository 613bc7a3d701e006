"""From a function's signature to a payload model and back to a call."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from taskq_server.core.errors import ConfigurationError
from taskq_server.handlers import recursion
from taskq_server.handlers.context import Context
from taskq_server.handlers.declare import Fatal

_PREFIX = "payload_"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler takes.

    Attributes:
        model: validates the payload; its aliases are the payload's keys.
        parameters: the payload's keys.
        context: name of the parameter that receives the context, or None.
        open: whether `**` takes any further key.
        doubles: whether validation may take for ever; see `recursion`.
    """

    model: type[BaseModel]
    parameters: tuple[str, ...]
    context: str | None
    open: bool
    doubles: bool = False

    def arguments(self, payload: Mapping[str, Any], context: Context | None) -> dict[str, Any]:
        """Return the keyword arguments for one call.

        Args:
            payload: the task's, read from JSON.
            context: the attempt's, for a handler that takes it.

        Raises:
            Fatal: the payload does not fit.
        """
        try:
            values = self.model.model_validate(payload)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "/".join(str(part) for part in first["loc"])
            raise Fatal(f"the payload does not fit the handler: {where}: {first['msg']}") from None
        arguments = {name: getattr(values, _PREFIX + name) for name in self.parameters}
        if self.open:
            arguments |= values.model_extra or {}
        if self.context is not None:
            arguments[self.context] = context
        return arguments


def read(function: Callable[..., Any], name: str) -> Signature:
    """Read a handler's signature.

    Raises:
        ConfigurationError: a parameter cannot be filled from a JSON object.
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigurationError(f"handler {name}: cannot read its annotations: {error}") from error
    fields: dict[str, Any] = {}
    parameters: list[str] = []
    context: str | None = None
    extra = False
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name)
        if hint is Context or Context in get_args(hint):
            context = parameter.name
        elif parameter.kind is parameter.VAR_KEYWORD:
            extra = True
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise ConfigurationError(
                f"handler {name}: parameter {parameter.name} cannot be positional: "
                "the payload is a JSON object"
            )
        else:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[_PREFIX + parameter.name] = (
                hints.get(parameter.name, Any),
                Field(default, alias=parameter.name),
            )
            parameters.append(parameter.name)
    try:
        model = create_model(
            name, __config__=ConfigDict(extra="allow" if extra else "forbid"), **fields
        )
    except PydanticUserError as error:
        reason = error.message.partition(". ")[0]
        raise ConfigurationError(f"handler {name}: cannot read its parameters: {reason}") from error
    doubles = recursion.doubles(model.__pydantic_core_schema__)
    return Signature(model, tuple(parameters), context, extra, doubles)

"""Submit a task by a call with a client and the arguments of its function."""

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from taskq_server.handlers.clients import SubmitOptions

if TYPE_CHECKING:
    from taskq_server.handlers.signature import Signature


class FunctionSubmit:
    """Submit tasks of one handler; type checkers know it as `typed.Submit`.

    Args:
        name: the name of the handler.
        function: its signature says what is sent, and as what the result is read.
        options: of each submit.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], options: SubmitOptions | None = None
    ) -> None:
        self._name = name
        self._function = function
        self._options: SubmitOptions = options or {}

    def __repr__(self) -> str:
        return f"<submit of the handler {self._name}>"

    def __call__(self, client: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Submit a task, and return what the client returns.

        Raises:
            TypeError: no client comes first, or the other arguments are not those of the function
                or cannot be sent as JSON.
        """
        if not callable(getattr(client, "submit", None)):
            raise TypeError(f"a task of {self._name}: a client comes first, not {client!r:.80}")
        try:
            payload = self._signature.payload(self._bound(args, kwargs))
        except (TypeError, ValueError) as error:
            raise TypeError(f"a task of {self._name}: {error}") from None
        return client.submit(self._name, payload, returns=self._signature.returns, **self._options)

    def with_options(self, **options: Unpack[SubmitOptions]) -> "FunctionSubmit":
        """Return one that submits with these options as well."""
        both: SubmitOptions = {**self._options, **options}
        return FunctionSubmit(self._name, self._function, both)

    @cached_property
    def _signature(self) -> "Signature":
        from taskq_server.handlers import signature  # which imports what makes this

        return signature.read(self._function, self._name)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        whole = inspect.signature(self._function)
        context = self._signature.context
        parameters = [one for one in whole.parameters.values() if one.name != context]
        bound = whole.replace(parameters=parameters).bind(*args, **kwargs).arguments
        for one in parameters:
            if one.kind is one.VAR_KEYWORD:
                bound |= bound.pop(one.name, {})
        return bound

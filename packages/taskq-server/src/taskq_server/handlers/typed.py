"""The type of what `@handler` returns: the function, and how to submit its tasks.

Where callers and workers share code, `build.submit(client, month="2026-10")` stands for
`client.submit("reports.build", {"month": "2026-10"}, returns=Report)`. Type checkers know the
arguments and the result by the function's signature.
"""

from collections.abc import Awaitable, Coroutine
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    Unpack,
    final,
    overload,
)

from taskq_server.handlers.clients import (
    AsyncClient,
    AsyncSubmittedTask,
    Client,
    SubmitOptions,
    SubmittedTask,
)
from taskq_server.handlers.context import Context

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Submit(Protocol[P, ResultT_co]):
    """Submits tasks of one handler: call it with a client and the arguments of the function."""

    @overload
    def __call__(
        self, client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[AsyncSubmittedTask[ResultT_co]]: ...

    @overload
    def __call__(
        self, client: Client, /, *args: P.args, **kwargs: P.kwargs
    ) -> SubmittedTask[ResultT_co]: ...

    def with_options(self, **options: Unpack[SubmitOptions]) -> "Submit[P, ResultT_co]":
        """Return one that submits with these options, such as `priority` or `idempotency_key`."""


@final
class _NoContext:
    """What only a parameter for anything takes: the arguments of such a function are not typed."""


class _SubmitOfHandler:
    """The type of `submit`: the function's parameters without its context, and what it returns."""

    @overload
    def __get__(
        self,
        instance: "TypedHandler[Concatenate[_NoContext, P], Coroutine[Any, Any, ResultT]]",
        owner: object,
    ) -> Submit[..., ResultT]: ...

    @overload
    def __get__(
        self, instance: "TypedHandler[Concatenate[_NoContext, P], ResultT]", owner: object
    ) -> Submit[..., ResultT]: ...

    @overload
    def __get__(
        self,
        instance: "TypedHandler[Concatenate[Context[Any], P], Coroutine[Any, Any, ResultT]]",
        owner: object,
    ) -> Submit[P, ResultT]: ...

    @overload
    def __get__(
        self, instance: "TypedHandler[Concatenate[Context[Any], P], ResultT]", owner: object
    ) -> Submit[P, ResultT]: ...

    @overload
    def __get__(
        self, instance: "TypedHandler[P, Coroutine[Any, Any, ResultT]]", owner: object
    ) -> Submit[P, ResultT]: ...

    @overload
    def __get__(
        self, instance: "TypedHandler[P, ResultT]", owner: object
    ) -> Submit[P, ResultT]: ...

    def __get__(self, instance: object, owner: object) -> object:
        raise AttributeError("submit is an attribute of handlers")


class TypedHandler(Generic[P, ResultT_co]):
    """A function under `@handler`, as type checkers see it.

    It is the function itself, to be called as ever, with `submit` as one attribute more:

        @handler("reports.build")
        async def build(context: Context, month: str) -> Report: ...

        task = build.submit(client, month="2026-10")
        report = task.result()

    With an `AsyncTaskqClient` both lines are awaited. The context is left out if it comes first
    among the parameters. `build.submit.with_options(priority="high")(client, month="2026-10")` says
    more than the payload.
    """

    __name__: str
    __qualname__: str

    submit = _SubmitOfHandler()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> ResultT_co:
        """Call the function itself, here and now."""
        raise NotImplementedError

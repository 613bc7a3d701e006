"""The handlers and hooks of a worker, which it finds once at start in the modules that it loads."""

import importlib
import inspect
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any
from uuid import UUID

from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic_core import to_json

from taskq_server.domain import limits
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.declarations import HandlerSchedule
from taskq_server.domain.errors import ConfigurationError, UnusableHandler
from taskq_server.domain.naming import is_name
from taskq_server.domain.requests import SAYS_NOTHING, TaskDefaults
from taskq_server.handlers import current_folder, signature
from taskq_server.handlers.declare import (
    DECLARED,
    MARK,
    HandlerMark,
    Hook,
    is_coroutine_function,
    qualified_name,
)
from taskq_server.handlers.defaults import check_parameter
from taskq_server.handlers.published import PublishedSchema
from taskq_server.schemas.payload_schema import compile_schema

ENTRY_POINTS = "taskq.handlers"
BUILTIN = "taskq_server.handlers.builtin"

_log = logging.getLogger("taskq.server.handlers")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """The argument of `on_retry` and `on_job_failure`.

    Attributes:
        task_id: the task.
        handler: the task's handler.
        attempt: the attempt that ended.
        error_type: the class of the error.
        error_message: the text of the error.
        retry_at: when the next try is due; None if the task failed for good.
        traceparent: the W3C trace context that the task was submitted in; None without one.
    """

    task_id: UUID
    handler: str
    attempt: int
    error_type: str
    error_message: str
    retry_at: datetime | None
    traceparent: str | None = None


class Place(Enum):
    """Where the attempts of a handler run."""

    LOOP = "on the event loop"
    THREAD = "in a thread"
    PROCESS = "in a process of the worker"


@dataclass(frozen=True)
class Handler:
    """One handler, ready to be called."""

    name: str
    function: Callable[..., Any]
    signature: signature.Signature
    description: str
    schema: str
    max_retries: int | None
    timeout: float | None
    backoff: Backoff
    retry_on: tuple[type[BaseException], ...]
    process: bool = False
    defaults: TaskDefaults = SAYS_NOTHING
    schedule: HandlerSchedule | None = None

    @cached_property
    def is_async(self) -> bool:
        """Whether the handler is called on an event loop; otherwise it is called in a thread."""
        return is_coroutine_function(self.function)

    @cached_property
    def place(self) -> Place:
        """Where the attempts run, unless their task is quarantined."""
        if self.process:
            return Place.PROCESS
        return Place.LOOP if self.is_async else Place.THREAD


@dataclass(frozen=True, slots=True)
class Registry:
    """All handlers by name, and the hooks in the order of their discovery."""

    handlers: Mapping[str, Handler]
    hooks: Mapping[Hook, Sequence[Callable[..., Any]]] = field(default_factory=dict)

    def hooks_for(self, hook: Hook) -> Sequence[Callable[..., Any]]:
        """Return the functions to run at this moment."""
        return self.hooks.get(hook, ())

    def names(self, place: Place) -> list[str]:
        """Return the sorted names of the handlers whose attempts run in this place."""
        return sorted(name for name, one in self.handlers.items() if one.place is place)

    @property
    def has_failure_hooks(self) -> bool:
        """Whether a hook of `on_retry` or `on_job_failure` is declared."""
        return bool(self.hooks_for(Hook.RETRY) or self.hooks_for(Hook.JOB_FAILURE))


def load(modules: Iterable[str], *, builtin: bool = False) -> Registry:
    """Import modules and every `taskq.handlers` entry point, and collect their handlers and hooks.

    The name of a package includes its submodules that are imported by then. The current folder is
    the last place to search for modules, also for the later imports of handlers.

    Args:
        modules: names of modules.
        builtin: whether to add the handlers for trying things out. With them, every caller that may
            submit can fill a worker with `taskq.sleep`.

    Raises:
        ConfigurationError: a module cannot be imported, two handlers share a name, or a handler
            cannot work.
    """
    names = list(modules)
    published = {point.value.partition(":")[0] for point in entry_points(group=ENTRY_POINTS)}
    if not builtin:
        published.discard(BUILTIN)
    is_new = current_folder.append()
    handlers: dict[str, Handler] = {}
    hooks: dict[Hook, list[Callable[..., Any]]] = {}
    seen: set[int] = set()
    for function in _marked([*sorted(published), *names]):
        if id(function) in seen:
            continue
        seen.add(id(function))
        mark = getattr(function, MARK)
        if isinstance(mark, Hook):
            hooks.setdefault(mark, []).append(function)
        elif mark.name in handlers:
            raise ConfigurationError(_clash(mark.name, handlers[mark.name].function, function))
        else:
            handlers[mark.name] = _read(function, mark)
    if is_new:  # otherwise it has been logged, or the user put the folder there
        current_folder.say_what_is_hidden(names)
    return Registry(handlers, hooks)


def read(function: Callable[..., Any]) -> Handler:
    """Read one handler.

    Raises:
        ConfigurationError: the function is no handler, or cannot work as one.
    """
    mark = inspect.getattr_static(function, MARK, None)
    if isinstance(mark, HandlerMark):
        return _read(function, mark)
    raise ConfigurationError(
        f'{qualified_name(function)} is no handler: write @handler("…") above it'
    )


def _marked(names: Iterable[str]) -> list[Callable[..., Any]]:
    modules: list[ModuleType] = []
    found: list[Callable[..., Any]] = []
    for name in dict.fromkeys(names):
        imported = _import(name)
        marked = [
            value
            for module in imported
            for value in list(vars(module).values())
            if isinstance(inspect.getattr_static(value, MARK, None), HandlerMark | Hook)
        ]
        if not marked:
            _log.warning("the module %s has no handlers and no hooks", name)
        modules += imported
        found += marked
    reached = {id(layer) for value in found for layer in _layers(value)}
    for module in modules:
        for function in vars(module).get(DECLARED, ()):
            if id(function) not in reached:
                raise ConfigurationError(_unreachable(function, module.__name__))
    return found


def _layers(function: object) -> Iterator[object]:
    """Yield a function and the functions that it wraps."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def _clash(name: str, *functions: Callable[..., Any]) -> str:
    places = [f"{getattr(one, '__module__', '?')}.{qualified_name(one)}" for one in functions]
    return (
        f"two handlers are called {name}: {' and '.join(places)}; "
        'give one of them another name, as in @handler("…")'
    )


def _unreachable(function: Callable[..., Any], module: str) -> str:
    mark = getattr(function, MARK)
    what = f"handler {mark.name}" if isinstance(mark, HandlerMark) else f"@{mark}"
    if _is_replaced(function):
        return f"{what}: another {module}.{qualified_name(function)} replaces it: rename one"
    return (
        f"{what}: {module}.{qualified_name(function)} is nothing that its module has: move it out "
        "of its class or function, and above @handler use only decorators that keep what they "
        "decorate in __wrapped__"
    )


def _is_replaced(function: Callable[..., Any]) -> bool:
    """Whether the module of a function has given its name to another handler or hook."""
    heir = getattr(function, "__globals__", {}).get(function.__qualname__)
    return isinstance(inspect.getattr_static(heir, MARK, None), HandlerMark | Hook)


def _import(name: str) -> list[ModuleType]:
    try:
        importlib.import_module(name)
    except BaseException as error:  # a script exits, and a library may raise any error
        raise ConfigurationError(
            f"cannot import the handlers in {name}: {_why(error)}{_where(error, name)}"
        ) from error
    loaded = [key for key in sys.modules if key == name or key.startswith(f"{name}.")]
    return [sys.modules[key] for key in loaded]


def _why(error: BaseException) -> str:
    """Return the text of a foreign error in one line, with the place that raised it."""
    try:
        said = str(error)
    except BaseException:
        said = ""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if "importlib" not in frame.filename and frame.filename != __file__:
            place = f" ({frame.filename}, line {frame.lineno})"
    if isinstance(error, SystemExit):
        said += ", as a script does: what is to run only then belongs under __name__ == '__main__'"
    return " ".join(f"{type(error).__name__}: {said}{place}".split())


def _where(error: BaseException, name: str) -> str:
    """Return where a module was looked for in vain, or what was found in its place."""
    if current_folder.hides(name):
        return "; an installed module hides that of the current folder: rename it"
    if isinstance(error, ModuleNotFoundError):
        return f"; it is neither installed nor in the current folder {current_folder.described()}"
    return ""


def _read(function: Callable[..., Any], mark: HandlerMark) -> Handler:
    try:
        return _handler(function, mark)
    except ConfigurationError:
        raise
    except Exception as error:  # types of parameters may run code of their own
        raise ConfigurationError(
            f"handler {mark.name}: it cannot be read: {_why(error)}"
        ) from error


def _handler(function: Callable[..., Any], mark: HandlerMark) -> Handler:
    name = mark.name
    if not is_name(name, limits.HANDLER_LENGTH):
        raise ConfigurationError(
            f"{name!r} cannot be the name of a handler: a name has letters, digits or any of "
            f'_ . : / -, at most {limits.HANDLER_LENGTH}, as in @handler("…")'
        )
    if mark.max_retries is not None and not 0 <= mark.max_retries <= limits.RETRIES:
        raise ConfigurationError(
            f"handler {name}: max_retries must be between 0 and {limits.RETRIES}"
        )
    if mark.timeout is not None and not 0 < mark.timeout <= limits.TIMEOUT_SECONDS:
        raise ConfigurationError(
            f"handler {name}: timeout must be up to {limits.TIMEOUT_SECONDS:,} seconds"
        )
    if not isinstance(mark.backoff, Backoff | None):
        raise ConfigurationError(f"handler {name}: backoff must be a Backoff")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            f"handler {name}: a function with `yield` runs only while its result is written: "
            "collect what it yields, and return a list"
        )
    takes = signature.read(function, name)
    if mark.schedule is not None and takes.required:
        raise ConfigurationError(
            f"handler {name}: its schedule submits an empty payload: give each parameter a default "
            f"({', '.join(takes.required)}), or leave the schedule out"
        )
    schema, pointer = _schema(takes, name), mark.defaults.unique_key
    if pointer is not None and not takes.open:
        check_parameter(f"handler {name}", pointer, json.loads(schema).get("properties", ()))
    return Handler(
        name=name,
        function=function,
        signature=takes,
        description=signature.described(function),
        schema=schema,
        max_retries=mark.max_retries,
        timeout=mark.timeout,
        backoff=mark.backoff or Backoff(),
        retry_on=mark.retry_on,
        process=mark.process,
        defaults=mark.defaults,
        schedule=mark.schedule,
    )


def _schema(takes: signature.Signature, name: str) -> str:
    """Return the schema to publish, after a check that the API can use it."""
    try:
        document = takes.model.model_json_schema(schema_generator=PublishedSchema)
        text = to_json(document, inf_nan_mode="null").decode()
        compile_schema(name, text)
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        raise ConfigurationError(f"handler {name}: {error.message}") from error
    except UnusableHandler as error:
        raise ConfigurationError(str(error)) from error
    return text

"""What a handler says for tasks whose submits leave it out, such as queue, priority and tags."""

from collections.abc import Collection

from pydantic import TypeAdapter, ValidationError

from taskq_server.domain import limits
from taskq_server.domain.errors import ConfigurationError
from taskq_server.domain.naming import is_name
from taskq_server.domain.pointers import steps
from taskq_server.domain.requests import DEFAULT_QUEUE, TaskDefaults
from taskq_server.domain.task import Priority
from taskq_server.schemas.fields import TagName

_TAG: TypeAdapter[str] = TypeAdapter(TagName)


def task_defaults(
    what: str, queue: object, priority: object, tags: object, unique_key: object = None
) -> TaskDefaults:
    """Return the defaults of a handler's tasks.

    Args:
        what: the handler, for the sentence of an error.
        queue: a name, or None.
        priority: a label, or None.
        tags: a collection of names.
        unique_key: a JSON pointer into the payload, or None.

    Raises:
        ConfigurationError: no task can have one of them.
    """
    return TaskDefaults(
        _queue(what, queue),
        _priority(what, priority),
        _tags(what, tags),
        _pointer(what, unique_key),
    )


def check_parameter(what: str, pointer: str, keys: Collection[str]) -> None:
    """Check that the payload of a handler may have what a pointer names.

    Args:
        what: the handler, for the sentence of an error.
        pointer: a valid one.
        keys: all that the payload may have.

    Raises:
        ConfigurationError: it names no key, so no task would ever be unique.
    """
    first = steps(pointer)[:1]
    if first and first[0] not in keys:
        known = ", ".join(sorted(keys)) or "no key at all"
        raise ConfigurationError(
            f"{what}: unique_key={pointer!r} finds nothing, because a payload has {known}"
        )


def _queue(what: str, given: object) -> str:
    if given is None:
        return DEFAULT_QUEUE
    if not isinstance(given, str) or not is_name(given, limits.QUEUE_LENGTH):
        raise ConfigurationError(
            f"{what}: no task can be in the queue {given!r:.80}: names have 1 to "
            f"{limits.QUEUE_LENGTH} letters, digits, or any of _ . : / -, and begin with a letter, "
            "a digit or _"
        )
    return given


def _priority(what: str, given: object) -> Priority:
    if given is None:
        return Priority.NORMAL
    for each in Priority:
        if each.label == given:
            return each
    raise ConfigurationError(
        f"{what}: priority must be one of {', '.join(each.label for each in Priority)}, "
        f"not {given!r:.80}"
    )


def _tags(what: str, given: object) -> tuple[str, ...]:
    if not isinstance(given, Collection) or isinstance(given, str | bytes):
        raise ConfigurationError(f"{what}: tags takes a list of names, not {given!r:.80}")
    names = tuple(sorted({_tag(what, each) for each in given}))
    if len(names) > limits.TAGS:
        raise ConfigurationError(f"{what}: a task has at most {limits.TAGS} tags")
    return names


def _tag(what: str, given: object) -> str:
    try:
        return _TAG.validate_python(given, strict=True)
    except ValidationError:
        raise ConfigurationError(
            f"{what}: no task can have the tag {given!r:.80}: tags have 1 to {limits.TAG_LENGTH} "
            "characters without control characters, and no space at their ends"
        ) from None


def _pointer(what: str, given: object) -> str | None:
    if given is None:
        return None
    try:
        if not isinstance(given, str):
            raise ValueError("a JSON pointer is a text")
        if len(given) > limits.POINTER_LENGTH or not given.isprintable():
            raise ValueError(f"it has at most {limits.POINTER_LENGTH} printable characters")
        steps(given)
    except ValueError as error:
        raise ConfigurationError(
            f"{what}: unique_key={given!r:.80} does not say where in the payload the key is: "
            f'{error}, as in unique_key="/customer_id"'
        ) from None
    return given

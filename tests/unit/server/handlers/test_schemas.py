"""What a worker refuses to publish: it does not start, and says which handler it is."""

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema_rs
import pytest

from taskq_server.domain.errors import ConfigurationError
from taskq_server.handlers import load
from tests.support.unusable import temptation

HEAD = """
import math
from typing import Annotated, Any
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from taskq_server import Backoff, handler
"""

Module = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Module]:
    """Write the one module of a test, and return its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        (tmp_path / "declared.py").write_text(HEAD + textwrap.dedent(source))
        return "declared"

    yield write
    sys.modules.pop("declared", None)


def parameter(hint: str) -> str:
    return f"@handler('my.work')\nasync def work(month: {hint}) -> None: ..."


UNUSABLE = {
    "required": parameter("Annotated[str, Field(json_schema_extra={'required': True})]"),
    "Python's patterns": parameter("Annotated[str, WithJsonSchema({'pattern': '(?P<a>b)(?P=a)'})]"),
    "a huge pattern": parameter("Annotated[str, WithJsonSchema({'pattern': '(a{1000}){1000}'})]"),
    "no type": parameter("Annotated[str, WithJsonSchema({'type': 'strnig'})]"),
    "no local $ref": parameter("Annotated[Any, WithJsonSchema({'$ref': '#/$defs/nowhere'})]"),
    "a surrogate": parameter("Annotated[str, Field(description='\\ud800')]"),
    "no JSON": parameter("Annotated[str, Field(json_schema_extra={'example': object()})]"),
    "a long number": parameter("Annotated[int, Field(json_schema_extra={'x': 10**5000})]"),
    "Python's regex engine": """
        class Quoted(BaseModel):
            model_config = ConfigDict(regex_engine="python-re")
            text: Annotated[str, Field(pattern=r"(?P<q>['\\"]).*(?P=q)")]

        @handler("my.work")
        async def work(quoted: Quoted) -> None: ...
        """,
    "a schema that breaks": """
        class Odd(BaseModel):
            @classmethod
            def __get_pydantic_json_schema__(cls, schema, make):
                raise KeyError("nothing")

        @handler("my.work")
        async def work(odd: Odd) -> None: ...
        """,
    "a type that breaks": """
        class Odd:
            @classmethod
            def __get_pydantic_core_schema__(cls, source, make):
                raise ZeroDivisionError("nothing")

        @handler("my.work")
        async def work(odd: Odd) -> None: ...
        """,
    "an annotation that breaks": parameter("'math.nowhere'"),
    "no pattern at all": parameter("Annotated[str, Field(pattern='(')]"),
    "no back-off": "@handler('my.work', backoff=5)\nasync def work() -> None: ...",
    "no number of retries": "@handler('my.work', max_retries='3')\nasync def work() -> None: ...",
    "no number of seconds": "@handler('my.work', timeout='3')\nasync def work() -> None: ...",
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_published_is_refused_by_name(module: Module, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^handler my\.work: .") as caught:
        load([module(UNUSABLE[name])])
    assert len(str(caught.value).splitlines()) == 1


def test_a_worker_without_email_validator_refuses_addresses_by_name(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "email_validator", None)
    source = "from pydantic import EmailStr\n" + parameter("EmailStr")
    with pytest.raises(ConfigurationError, match=r"^handler my\.work: .*email-validator"):
        load([module(source)])


def test_nothing_that_a_schema_refers_to_is_fetched(module: Module, tmp_path: Path) -> None:
    with temptation(tmp_path) as tempting:
        for name, schema in tempting.schemas().items():
            if "$schema" in schema:
                continue  # pydantic makes the outermost part itself
            source = parameter(f"Annotated[Any, WithJsonSchema({schema!r})]")
            with pytest.raises(ConfigurationError, match=r"^handler my\.work: "):
                load([module(source)])
            sys.modules.pop("declared", None)
            assert tempting.visits == 0, name


def test_a_default_without_a_json_form_is_left_out_of_what_is_published(module: Module) -> None:
    source = "@handler('my.work')\nasync def work(most: float = math.inf) -> None: ..."
    text = load([module(source)]).handlers["my.work"].schema
    assert "Infinity" not in text
    assert jsonschema_rs.validator_for(json.loads(text)).is_valid({"most": 5})

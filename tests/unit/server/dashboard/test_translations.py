"""Every text of the dashboard is there in Chinese, and no Chinese text is left over."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment

import taskq_server.dashboard
from taskq_server.dashboard import language
from taskq_server.domain.bulk import State
from taskq_server.domain.task import Outcome, Priority, Status

FOLDER = Path(taskq_server.dashboard.__file__).parent
VALUES = re.compile(r"%\((\w+)\)s")
CHINESE = re.compile("[\u4e00-\u9fff]")
AS_THEY_ARE = {"Id", "of %(most)s"}
"""Texts whose translation has no Chinese word."""


def of_templates() -> Iterator[str]:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    environment.policies["ext.i18n.trimmed"] = True
    for file in sorted((FOLDER / "templates").rglob("*.html")):
        for _, function, text in environment.extract_translations(file.read_text("utf-8")):
            if isinstance(text, tuple):
                yield str(text[1]) if function == "ngettext" else str(text[0])
            elif text is not None:
                yield text


def of_modules() -> Iterator[str]:
    for file in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="translated"), args=given):
                    constants = [each for each in given if isinstance(each, ast.Constant)]
                    yield from (each.value for each in constants if isinstance(each.value, str))
                case _:
                    pass


def of_closed_sets() -> Iterator[str]:
    yield from map(str, Status)
    yield from map(str, Outcome)
    yield from map(str, State)
    yield from (priority.label for priority in Priority)


def test_every_text_has_a_translation_and_none_is_left_over() -> None:
    texts = {*of_templates(), *of_modules(), *of_closed_sets()}
    assert len(texts) > 50
    known = language.translations(language.CHINESE).keys()
    assert sorted(texts - known) == [], "not translated"
    assert sorted(known - texts) == [], "left over"


def test_no_text_is_translated_twice() -> None:
    found: dict[str, str] = {}
    for file in sorted((FOLDER / "translations" / language.CHINESE).iterdir()):
        for text in language.read(file):
            assert text not in found, f"{text!r} is in {found[text]} and in {file.name}"
            found[text] = file.name


def test_translations_have_the_same_values() -> None:
    for text, translated in language.translations(language.CHINESE).items():
        assert set(VALUES.findall(text)) == set(VALUES.findall(translated)), text
        assert CHINESE.search(translated) or text in AS_THEY_ARE, text


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-TW", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        ("fr,zh;q=0.4,en;q=0.3", "zh"),
        ("fr", "en"),
        ("zh;q=0", "en"),
        ("zh;q=0,en;q=0", "en"),
        ("ZH", "zh"),
        ("*", "en"),
        ("zh;q=nonsense", "en"),
        ("," * 5_000 + "zh", "en"),
    ],
)
def test_the_language_that_a_browser_asks_for(header: str, expected: str) -> None:
    assert language.wished(header) == expected


def test_amounts_are_words_of_the_language() -> None:
    assert language.ngettext("en", "%(num)s task", "%(num)s tasks", 1) == "%(num)s task"
    assert language.ngettext("en", "%(num)s task", "%(num)s tasks", 2) == "%(num)s tasks"

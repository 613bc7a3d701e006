"""What tasks say, as plain text: JSON as people read it, and nothing that hides or steers."""

import json
from typing import Any

import pytest

from taskq_server.dashboard import plain_text
from taskq_server.dashboard.plain_text import MOST_CHARACTERS

VALUES: list[Any] = [
    {},
    [],
    [[]],
    [{}, {}],
    "text",
    1,
    None,
    {"a": [1, 2, {"b": None}], "c": 'x, y: {"[\\'},
    {"empty": {}, "list": [], "last": [[1], [2]]},
    {"键": "值", "with\nlines": "tab\t"},
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("style", [{"separators": (",", ":")}, {"indent": 1}, {}])
def test_json_has_a_line_for_each_member(value: Any, style: dict[str, Any]) -> None:
    document = json.dumps(value, ensure_ascii=False, **style)
    shown = plain_text.readable_json(document)
    assert shown == (json.dumps(value, ensure_ascii=False, indent=2), True)


@pytest.mark.parametrize(
    "number", ["1.0000000000000000000001", "1e400", "9" * 5_000, "-0.0", "1E+2"]
)
def test_numbers_stay_as_they_are_written(number: str) -> None:
    assert plain_text.readable_json(f'{{"n":{number}}}').text == f'{{\n  "n": {number}\n}}'


@pytest.mark.parametrize("value", [["x"] * 400_000, "x" * 1_000_000, {"a": "x" * 1_000_000}])
def test_no_more_of_it_is_shown_than_people_read(value: Any) -> None:
    shown = plain_text.readable_json(json.dumps(value))
    assert (len(shown.text), shown.is_whole) == (MOST_CHARACTERS, False)
    assert json.dumps(value, indent=2).startswith(shown.text)


def test_as_much_as_fits_is_whole() -> None:
    fits = json.dumps("x" * (MOST_CHARACTERS - 2))
    assert plain_text.readable_json(fits) == (fits, True)
    assert plain_text.beginning("x" * MOST_CHARACTERS).is_whole
    assert plain_text.beginning("x" * (MOST_CHARACTERS + 1)) == ("x" * MOST_CHARACTERS, False)


def test_what_hides_or_steers_is_shown_by_its_code() -> None:
    hidden = "".join(
        map(chr, (0, 8, 0x1B, 0x7F, 0x85, 0x061C, 0x200B, 0x202E, 0x2066, 0xFEFF, 0xD800))
    )
    assert plain_text.visible(f"a{hidden}b") == (
        r"a\u0000\u0008\u001b\u007f\u0085\u061c\u200b\u202e\u2066\ufeff\ud800b"
    )
    plain = "two\nlines\tand é 键 \N{WHITE SMILING FACE}"
    assert plain_text.visible(plain) == plain


def test_a_mark_in_json_is_written_as_json_writes_it() -> None:
    shown = plain_text.readable_json(json.dumps({"a": "x\u202ey"}, ensure_ascii=False))
    assert json.loads(shown.text) == {"a": "x\u202ey"}
    assert "\u202e" not in shown.text

"""Pages that are made from code say what the code says, and faults of a built site are found."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

import taskq_client
import taskq_server
from taskq_server import Settings
from taskq_server.api.problems import KINDS
from taskq_server.domain.errors import TaskNotFound
from tests.examples.documents import DOCUMENTS, table_rows
from tests.support.processes import ROOT
from tools.docs import check_site, http_page, llms, problem_pages, reference_page, settings_page
from tools.docs.__main__ import stale
from tools.docs.layout import SITE_ONLY, missing, sections, unlisted
from tools.docs.markdown import DOCS, anchors, slug, summary_of


def test_the_kept_pages_are_what_the_code_says() -> None:
    assert stale() == []


def test_another_page_than_the_code_makes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_page, "HEAD", "# Other\n")
    assert stale() == ["docs/settings.md is not what the code says: run `python -m tools.docs`"]


def test_every_setting_has_its_row_in_a_section() -> None:
    rows = [
        row
        for heading in settings_page.SECTIONS
        for row in table_rows(DOCS / "settings.md", f"## {heading}")
    ]
    assert sorted(name for name, *_ in rows) == sorted(
        f"`TASKQ_{name.upper()}`" for name in Settings.model_fields
    )
    assert all(values and meaning for _, _, values, meaning in rows)


def test_bounds_and_units_of_settings() -> None:
    rows = {row[0]: row[1:] for row in table_rows(DOCS / "settings.md", "## Worker")}
    assert rows["`TASKQ_LEASE_SECONDS`"][:2] == ["`10`", "0.5 to 600 seconds"]
    assert rows["`TASKQ_POLL_SECONDS`"][:2] == ["`0.5`", "more than 0, up to 10 seconds"]
    assert rows["`TASKQ_BUILTIN_HANDLERS`"][:2] == ["`false`", "`true` or `false`"]
    assert rows["`TASKQ_QUEUES`"][:2] == ["`default`", "list"]


def test_a_number_that_may_be_left_out_is_a_number() -> None:
    class Some(BaseModel):
        few: int | None = Field(None, ge=1, le=1_000)

    assert settings_page.values("few", Some.model_fields["few"]) == "1 to 1,000"


def test_every_problem_has_a_page_that_says_what_to_do() -> None:
    pages = dict(problem_pages.pages())
    assert set(pages) == {f"problems/{kind.code}.md" for kind in KINDS.values()} | {
        "problems/index.md"
    }
    page = pages["problems/task-not-found.md"]
    assert "No task has this id." in page
    assert "TASKQ_RETENTION_DAYS" in page.partition("## What to do")[2]
    assert "(../http.md#cancel-a-task)" in page


def test_an_error_that_does_not_say_what_to_do_is_refused() -> None:
    class Unsaid(TaskNotFound):
        """No task has this id."""

    with pytest.raises(LookupError, match="Unsaid"):
        problem_pages.told(Unsaid)


def test_the_page_of_the_api_has_every_operation_under_a_heading_of_its_own() -> None:
    lines = re.sub(r"^```.*?^```$", "", http_page.page(), flags=re.M | re.S).splitlines()
    headings = [line.lstrip("# ") for line in lines if line.startswith("#")]
    assert len({slug(heading) for heading in headings}) == len(headings)
    for path in ("`POST /tasks`", "`GET /tasks/{task_id}/events`", "`GET /readyz`"):
        assert path in lines


@pytest.mark.parametrize(
    ("name", "package"), [("server", taskq_server), ("client", taskq_client)], ids=str
)
def test_the_reference_has_every_public_name(name: str, package: object) -> None:
    page = reference_page.page(name)
    names: list[str] = package.__all__  # type: ignore[attr-defined]
    public = [each for each in names if not each.startswith("__")]
    assert len(public) > 10
    assert [each for each in public if f"\n### {each}\n" not in page] == []
    assert "Arguments:" in page
    assert "Raises:" in page


def test_the_site_has_every_page_of_its_layout_and_no_other() -> None:
    assert set(missing(DOCS)) == set(SITE_ONLY)
    assert unlisted(DOCS) == []


def test_llms_txt_lists_the_pages_with_a_sentence_each() -> None:
    text = llms.index(DOCS)
    assert text.startswith("# taskq\n\n> taskq runs your Python functions in the background")
    for listed in sections(DOCS).values():
        for name, title in listed:
            assert f"- [{title}]({name}): " in text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_anchors_of_links_exist(path: Path) -> None:
    for target, anchor in re.findall(
        r"\]\(([^)#\s]*)#([^)\s]+)\)", path.read_text(encoding="utf-8")
    ):
        page = (path.parent / target).resolve() if target else path
        if page.suffix == ".md" and page.exists():
            assert anchor in anchors(page.read_text(encoding="utf-8")), f"{target}#{anchor}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# T\n\nOne [link](a.md) of\ntwo. More.\n\nElse.\n", "One link of two."),
        ("# T\n\nVersion 1.5 is here: all. Look.\n", "Version 1.5 is here: all."),
        ("# T\n\nThe parts:\n\n* one\n", "The parts"),
        ("# T\n\n第一句。第二句。\n", "第一句。"),
        ("# T\n\nNo end\n", "No end"),
    ],
)
def test_the_sentence_of_a_page_is_its_first(text: str, said: str) -> None:
    assert summary_of(text) == said


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="other.html">', ""),
        ('<a href="other.html#here">', ""),
        ('<a href="https://example.com/x">', ""),
        ('<a href="gone.html">', "the link gone.html leads nowhere"),
        ('<a href="other.html#gone">', "the link other.html#gone leads nowhere"),
        ('<a href="#gone">', "the link #gone leads nowhere"),
        ('<img src="gone.png">', "there is no gone.png to load"),
        ('<img src="https://example.com/x.png">', "would be loaded from elsewhere"),
        ('<script src="//example.com/x.js">', "would be loaded from elsewhere"),
        ('<link rel="stylesheet" href="https://example.com/x.css">', "loaded from elsewhere"),
        ('<link rel="preconnect" href="https://example.com">', "loaded from elsewhere"),
        ('<p style="background: url(https://example.com/x.png)">', "loaded from elsewhere"),
    ],
)
def test_faults_of_a_site_are_found(html: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(html, encoding="utf-8")
    (tmp_path / "other.html").write_text('<h1 id="here">', encoding="utf-8")
    found = check_site.faults(tmp_path)
    assert len(found) == bool(fault)
    assert fault in "".join(found)


def test_pages_without_the_version_are_found(tmp_path: Path) -> None:
    said = f"taskq {taskq_server.__version__}"
    (tmp_path / "index.html").write_text(f"<footer>{said}</footer>", encoding="utf-8")
    (tmp_path / "other.html").write_text("<footer>taskq</footer>", encoding="utf-8")
    assert check_site.pages_without(tmp_path, said) == [f"other.html: does not say {said}"]


@pytest.mark.parametrize(
    ("name", "text", "faulty"),
    [
        ("a.css", "@font-face { src: url(https://example.com/f.woff2) }", True),
        ("a.css", '@import "//example.com/a.css";', True),
        ("a.css", "/* see https://example.com */ p { src: url(f.woff2) }", False),
        ("a.js", 'import("https://example.com/a.js")', True),
        ("a.js", 'document.createElementNS("http://www.w3.org/2000/svg", "g")', False),
    ],
)
def test_foreign_places_in_assets_are_found(
    name: str, text: str, faulty: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(check_site.faults(tmp_path)) == faulty

import gzip
from pathlib import Path

import pytest

from taskq_server.dashboard.asset_files import AssetFiles


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    theirs, ours = tmp_path / "static", tmp_path / "source"
    for folder in (theirs, ours):
        folder.mkdir()
    (theirs / "library.js").write_text("var library;")
    (theirs / "LICENSES.txt").write_text("Do what you like.")
    (ours / "page.css").write_text("p {}")
    (ours / "page.js").write_text("import './part.js';")
    (ours / "part.js").write_text("export {};")
    (ours / "icon.svg").write_text("<svg/>")
    return theirs, ours


def test_a_file_is_found_under_its_path(folders: tuple[Path, Path]) -> None:
    files = AssetFiles(*folders)
    digest, _, name = files.path("page.js").partition("/")
    assert (len(digest), name) == (12, "page.js")
    assert int(digest, 16)
    found = files.find(digest, name)
    assert found is not None
    assert found.content == b"import './part.js';"
    assert gzip.decompress(found.gzipped) == found.content
    assert found.gzipped is found.gzipped, "compressed once"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("page.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_has_its_type(folders: tuple[Path, Path], name: str, media_type: str) -> None:
    files = AssetFiles(*folders)
    found = files.find(*files.path(name).split("/"))
    assert found is not None
    assert found.media_type == media_type


def test_neighbours_share_a_digest_that_changes_with_any_of_them(
    folders: tuple[Path, Path],
) -> None:
    before = AssetFiles(*folders)
    digest = before.path("page.js").partition("/")[0]
    assert before.path("part.js") == f"{digest}/part.js", "./part.js leads there"
    (folders[1] / "part.js").write_text("export let x;")
    after = AssetFiles(*folders)
    assert after.path("page.js") != before.path("page.js")
    assert after.path("library.js") == before.path("library.js"), "it stays in caches"
    assert after.find(digest, "page.js") is None, "an old page gets no newer script"


@pytest.mark.parametrize("name", ["LICENSES.txt", "none.js", "", "../source/page.js"])
def test_nothing_else_is_served(folders: tuple[Path, Path], name: str) -> None:
    files = AssetFiles(*folders)
    digest = files.path("library.js").partition("/")[0]
    assert files.find(digest, name) is None
    assert name not in files
    with pytest.raises(LookupError):
        files.path(name)


def test_a_folder_that_is_missing_is_empty(tmp_path: Path) -> None:
    assert "library.js" not in AssetFiles(tmp_path / "static")

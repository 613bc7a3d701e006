"""The files that the dashboard's pages load, and what is said where they are missing."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

from taskq_server.dashboard import assets
from taskq_server.dashboard.asset_files import AssetFiles

SOURCE = Path(assets.__file__).parent / "source"
OURS = sorted(path.name for path in SOURCE.iterdir())


def address(name: str) -> str:
    return f"/dashboard{assets.url(name)}"


@pytest.mark.parametrize("name", [*OURS, *assets.VENDORED])
async def test_each_file_is_served_under_its_hash_for_good(
    api: httpx.AsyncClient, name: str
) -> None:
    assert re.fullmatch(rf"/dashboard/assets/[0-9a-f]{{12}}/{re.escape(name)}", address(name))
    response = await api.get(address(name), headers={"Accept-Encoding": "identity"})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["content-type"].split(";")[0] in {
        *("text/javascript", "text/css", "image/svg+xml"),
    }
    assert "content-encoding" not in response.headers
    assert b"sourceMappingURL" not in response.content, "a browser would ask for that"
    folder = SOURCE if name in OURS else SOURCE.parent / "static"
    assert response.content == (folder / name).read_bytes()


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.8", "*", "GZIP ; q=1.0", "x-gzip"])
async def test_a_file_is_compressed_for_who_takes_that(
    api: httpx.AsyncClient, accepted: str
) -> None:
    async with api.stream(
        "GET", address("htmx.min.js"), headers={"Accept-Encoding": accepted}
    ) as response:
        raw = b"".join([part async for part in response.aiter_raw()])
    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) == len(raw) < 15_000
    assert gzip.decompress(raw).startswith(b"var htmx")


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.000, *", "*;q=0"])
async def test_nobody_else_gets_it_compressed(api: httpx.AsyncClient, accepted: str) -> None:
    response = await api.get(address("htmx.min.js"), headers={"Accept-Encoding": accepted})
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/assets/000000000000/taskq.css",
        "/dashboard/assets/taskq.css",
        "/dashboard/assets/",
        f"{address('taskq.css')}x",
        address("taskq.css").replace("taskq.css", "htmx.min.js"),
        address("taskq.css").replace("taskq.css", "none.css"),
        address("taskq.css").replace("taskq.css", "..%2Fassets.py"),
        address("taskq.css").replace("taskq.css", "../../../asset_files.py"),
        address("htmx.min.js").replace("htmx.min.js", "LICENSES.txt"),
        f"{address('taskq.css')}%00",
    ],
)
async def test_nothing_else_is(api: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST"):
        response = await api.request(method, path, headers={"Sec-Fetch-Site": "same-origin"})
        assert response.status_code == 404
        assert "immutable" not in response.headers.get("cache-control", "")


async def test_where_files_are_missing_a_page_says_which_and_how_to_get_them(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "htmx.min.js").touch()
    monkeypatch.setattr(assets, "files", AssetFiles(tmp_path, SOURCE))
    assert assets.missing() == [name for name in assets.VENDORED if name != "htmx.min.js"]
    for path in ("/dashboard/queues", "/dashboard/queues?of=yesterday"):
        response = await api.get(path, headers={"Accept": "text/html"})
        assert response.status_code == 404
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert "uPlot.iife.min.js, uPlot.min.css" in response.text
        assert "npm" in response.text
    assert (await api.get("/stats")).status_code == 200

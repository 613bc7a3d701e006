"""What `nox -s build` refuses of the dashboard's pages."""

import gzip
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.browse_offline import filled, page_paths, require_light
from tools.browser import Browser, Refusal

Site = dict[str, tuple[str, str]]

PAGE = (
    '<link rel="stylesheet" href="/assets/a.css"><script src="/assets/a.js"></script>'
    '<a href="tasks">x</a><form action="?page=2"></form><img src="data:image/gif;base64,R0">'
)
SITE: Site = {
    "/page": ("text/html; charset=utf-8", PAGE),
    "/assets/a.css": ("text/css", '@import "b.css"; p { background: url(data:image/gif,x) }'),
    "/assets/b.css": ("text/css", "p { background: url('c.svg') }"),
    "/assets/c.svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "/assets/a.js": ("text/javascript", 'import { b } from "./b.js"; const s = "from nowhere";'),
    "/assets/b.js": ("text/javascript", "export const b = 1;"),
    "/events": ("text/event-stream", ""),
}


class Server(ThreadingHTTPServer):
    """Serves a site, and keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.site: Site = dict(SITE)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        media_type, text = self.server.site.get(self.path, ("", ""))
        if media_type.startswith("/") or "://" in media_type:
            self.send_response(303)
            self.send_header("Location", media_type)
            self.end_headers()
            return
        body = gzip.compress(text.encode())
        self.send_response(200 if media_type else 404)
        self.send_header("Content-Type", media_type or "text/plain")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(f"{self.headers['Sec-Fetch-Site']} {body}")
        self.send_response(303)
        self.send_header("Location", "/page")
        self.send_header("Set-Cookie", "taskq-session=1; Path=/; HttpOnly; SameSite=Lax")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(60)


def test_a_page_weighs_what_it_and_its_files_have_compressed(server: Server) -> None:
    weight = Browser("en").see(f"{server.url}/page")
    assert weight == sum(
        len(gzip.compress(text.encode())) for path, (_, text) in SITE.items() if path != "/events"
    )
    assert sorted(server.asked) == sorted(path for path in SITE if path != "/events")


def test_what_a_page_gets_later_weighs_nothing(server: Server) -> None:
    server.site["/payload.json"] = ("application/json", "{}")
    for path in ("/events", "/payload.json"):
        assert Browser("en").see(f"{server.url}{path}") == 0


@pytest.mark.parametrize("path", [path for path in SITE if path != "/events"])
def test_what_is_missing_is_refused(server: Server, path: str) -> None:
    del server.site[path]
    with pytest.raises(Refusal, match=re.escape(f"{path} answers 404")):
        Browser("en").see(f"{server.url}/page")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/page", '<script src="https://cdn.example/x.js"></script>'),
        ("/page", '<link rel="icon" href="//cdn.example/x.png">'),
        ("/page", '<a href="https://elsewhere.example">x</a>'),
        ("/page", '<form action="http://127.0.0.1:1/"></form>'),
        ("/page", '<p hx-get="https://elsewhere.example"></p>'),
        ("/assets/a.css", "@import 'https://cdn.example/x.css';"),
        ("/assets/b.css", "p { background: url(//cdn.example/x.png) }"),
        ("/assets/b.js", 'import("https://cdn.example/x.js");'),
        ("/assets/a.js", 'import "//cdn.example/x.js";'),
    ],
)
def test_another_origin_is_refused(server: Server, path: str, text: str) -> None:
    media_type, before = server.site[path]
    server.site[path] = (media_type, before + text)
    with pytest.raises(Refusal, match=re.escape(f"{path} names another origin: ")):
        Browser("en").see(f"{server.url}/page")


def test_a_page_may_lead_to_another_one_of_this_server(server: Server) -> None:
    server.site["/"] = ("/page", "")
    assert Browser("en").see(f"{server.url}/") > 0
    server.site["/"] = (server.url.replace("127.0.0.1", "localhost") + "/page", "")
    with pytest.raises(Refusal, match=f"{server.url}/ leads to http://localhost"):
        Browser("en").see(f"{server.url}/")


def test_a_form_comes_from_the_same_origin_and_its_cookie_is_kept(server: Server) -> None:
    browser = Browser("en")
    browser.send(f"{server.url}/sign-in", key="tq_&")
    assert server.asked == ["same-origin key=tq_%26", "/page"]
    assert [cookie.name for cookie in browser.cookies] == ["taskq-session"]


def test_a_page_that_is_none_is_refused(server: Server) -> None:
    server.site["/page"] = ("text/plain", "The dashboard is not part of this installation.")
    with pytest.raises(Refusal, match="/page is text/plain"):
        Browser("en").see(f"{server.url}/page")


def test_a_heavy_page_is_refused() -> None:
    require_light({"/dashboard": 100_000})
    with pytest.raises(Refusal, match="/dashboard/tasks has 100001 bytes"):
        require_light({"/dashboard": 1, "/dashboard/tasks": 100_001})


def test_each_parameter_of_a_path_is_filled() -> None:
    shown = {"task_id": "1", "handler": "a b/c"}
    assert filled("/dashboard", shown) == "/dashboard"
    assert filled("/dashboard/tasks/{task_id:task_id}/events", shown) == "/dashboard/tasks/1/events"
    assert filled("/dashboard/submit/{handler:path}", shown) == "/dashboard/submit/a%20b%2Fc"
    with pytest.raises(Refusal, match=re.escape("what {x} of /dashboard/new/{x} is to show")):
        filled("/dashboard/new/{x}", shown)


def test_the_pages_are_those_that_the_application_has() -> None:
    paths = list(page_paths())
    assert "/dashboard/queues" in paths
    assert not [path for path in paths if "/assets/" in path or not path.startswith("/dashboard")]

"""What a page must not do fails its test, a browser that hangs does not hang the tests."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import screenshots
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

PATIENCE = 240
"""Seconds: more than a run here takes on a busy machine, and less than a hang."""

_CONFTEST = """
from tests.support.browser_fixtures import *
"""
_SETTINGS = [
    *("-p", "tests.support.limits", "-o", "timeout_func_only=true", "-o", "timeout=120"),
    *("-p", "no:valkey", "-p", "no:cacheprovider"),
]
_BEGIN = '''
import functools, http.server, os, signal, threading
import pytest
from playwright.sync_api import Error
from tests.support import browser as browser_module, screenshots
from tests.support.accessibility import check_axe
from tests.support.looking import tab_through, too_wide

POLICY = "default-src 'none'; img-src 'self' data:; " + "; ".join(
    f"{kind}-src 'self'" for kind in ("script", "style", "connect"))
HEAD = '<!doctype html><html lang="en"><head><title>t</title><link rel="icon" href="data:,">'

@pytest.fixture(scope="session")
def serve():
    """Serve these files under the policy of the dashboard; how its address begins."""
    files = {}
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = files.get(self.path)
            if self.path in ("/slow", "/dropped"):
                if self.path == "/slow":
                    self.rfile.read(1)  # until the page is left
                self.close_connection = True
                return
            self.send_response(404 if body is None else 200)
            kind = "text/javascript" if self.path.endswith(".js") else "text/html; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write((body or "").encode())
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    def put(body, script=""):
        head = HEAD + '<script type="module" src="/s.js"></script></head><body>'
        files["/"] = head + body + "</body></html>"
        files["/s.js"] = script
        return f"http://127.0.0.1:{server.server_port}"
    yield put
    server.shutdown()
    thread.join()
    server.server_close()

@pytest.fixture
def go(serve, new_page):
    def go(body, script=""):
        page = new_page(serve(body, script))
        page.goto("/")
        return page
    return go

GOOD = "<main><h1>Fine</h1><p>All is well.</p></main>"
'''
# What a page has or does, and what its test then says.
_BAD = [
    ("<p>x</p>", "console.log('hello')", "console log: hello"),
    ("<p>x</p>", "throw new Error('lost')", "uncaught: *lost"),
    ("<p>x</p>", "Promise.reject(new Error('broken'))", "uncaught: *broken"),
    ("<p>x</p>", "alert('boo')", "dialog alert: boo"),
    ("<p style='color: red'>x</p>", "", "*CSP violation: style-src-attr"),
    ("<style>p { color: red }</style>", "", "*CSP violation: style-src-elem"),
    ("<script>let x</script>", "", "*CSP violation: script-src-elem"),
    ("<p onclick='x()'>x</p>", "", "*CSP violation: script-src-attr"),
    ("<p>x</p>", "try { eval('1') } catch {}", "*CSP violation: script-src "),
    ("<img alt='' src='http://127.0.0.2:9/x'>", "", "*CSP violation: img-src http://127.0.0.2"),
    (
        "<p>x</p>",
        "location = 'http://127.0.0.2:9/'",
        "request to another origin: http://127.0.0.2*",
    ),
    ("<p>x</p>", "new WebSocket('ws://127.0.0.2:9/')", "*CSP violation: connect-src ws:"),
    ("<img alt='' src='/none'>", "", "console error: *status of 404"),
    ("<p>x</p>", "fetch('/dropped').catch(() => {})", "request failed: *ERR_EMPTY_RESPONSE"),
]


class Run:
    """Runs tests with pages in a process of their own; keeps their pictures."""

    def __init__(self, pytester: pytest.Pytester, temporary: Path) -> None:
        self.pictures = pytester.path / "pictures"
        self.temporary = temporary
        self._pytester = pytester

    def __call__(self, tests: str, *options: str) -> pytest.RunResult:
        self._pytester.makeconftest(_CONFTEST)
        self._pytester.makepyfile(test_it=_BEGIN + tests)
        return self._pytester.runpytest_subprocess("-rA", *_SETTINGS, *options, timeout=PATIENCE)


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    # The name of a unix socket may have about 100 characters only.
    with tempfile.TemporaryDirectory(prefix="taskq-browser-") as temporary:
        started = Run(pytester, Path(temporary))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("TMPDIR", temporary)
        monkeypatch.setenv(screenshots.VARIABLE, str(started.pictures))
        yield started


def test_what_a_page_must_not_do_fails_its_test(run: Run) -> None:
    done = run(f"""
@pytest.mark.parametrize(("body", "script"), {[(body, script) for body, script, _ in _BAD]!r})
def test_bad(go, watch, body, script):
    page = go(body, script)
    while not watch.noted:
        page.wait_for_timeout(50)

def test_good(go):
    check_axe(go(GOOD))
""")
    done.assert_outcomes(failed=len(_BAD), passed=1)
    done.stdout.fnmatch_lines_random([f"{line}*" for _, _, line in _BAD])


def test_what_a_test_provokes_may_come_and_has_to(run: Run) -> None:
    done = run("""
def test_it_comes(go, watch):
    watch.allow("status of 404")
    go(GOOD + "<img alt='' src='/none'>")

def test_it_does_not(go, watch):
    watch.allow("status of 404")
    go(GOOD)

def test_left_alone(go):
    page = go(GOOD, "fetch('/slow')")
    page.goto("about:blank")
""")
    done.assert_outcomes(failed=1, passed=2)
    done.stdout.fnmatch_lines(["allowed, and did not happen: status of 404"])


def test_axe_finds_what_is_wrong_in_either_scheme(run: Run) -> None:
    done = run("""
def test_label(go):
    check_axe(go(GOOD.replace("</main>", "<input name='x'></main>")))

def test_dark_only(go):
    rule = "@media (prefers-color-scheme: dark) { p { color: #eee } }"
    script = f"const sheet = new CSSStyleSheet(); sheet.replaceSync('{rule}');"
    check_axe(go(GOOD, script + "document.adoptedStyleSheets = [sheet]"))
""")
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(["*light: label: *", "*dark: color-contrast: *"])


def test_what_is_too_wide_and_where_no_focus_is_seen(run: Run) -> None:
    done = run("""
def test_wide(go):
    assert not too_wide(go(GOOD + "<canvas width='3000'></canvas>"))

def test_fits(go):
    assert not too_wide(go(GOOD + "<canvas width='300'></canvas>"))

def test_focus(go):
    rule = "b:focus { outline: none } i:focus { outline: 3px solid }"
    script = f"const sheet = new CSSStyleSheet(); sheet.replaceSync('{rule}');"
    body = GOOD + "<b tabindex='0'>unseen</b><i tabindex='0'>seen</i>"
    texts, unseen = tab_through(go(body, script + "document.adoptedStyleSheets = [sheet]"))
    assert texts == ["unseen", "seen"]
    assert [each[:2] for each in unseen] == ["<b"]
""")
    done.assert_outcomes(failed=1, passed=2)
    done.stdout.fnmatch_lines(["*assert not *canvas*"])


def test_pictures_are_kept_of_all_tests(run: Run) -> None:
    run("""
def test_good(go):
    go(GOOD)

def test_bad(go):
    go(GOOD)
    assert False
""").assert_outcomes(failed=1, passed=1)
    names = sorted(path.name for path in run.pictures.rglob("*.png"))
    assert names == ["FAILED-test_bad.png", "test_good.png"]


def test_a_page_or_browser_that_hangs_is_a_failure(run: Run) -> None:
    """The page, the process of its browser, or that process ended: the next test has another."""
    done = run(
        """
screenshots.PATIENCE = 2000
browser_module.LAST_RESORT = 5

def test_page(go):
    go(GOOD).evaluate("for (;;);")

def test_stopped(go, browser):
    page = go(GOOD)
    os.kill(browser.pid, signal.SIGSTOP)
    page.content()

def test_killed(go, browser):
    page = go(GOOD)
    os.kill(browser.pid, signal.SIGKILL)

def test_the_end(go):
    go(GOOD)
""",
        *("-o", "timeout=5"),
    )
    done.assert_outcomes(failed=3, passed=1)


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_nothing_of_the_browser_is_left(run: Run, tmp_path: Path, end: str) -> None:
    """Neither of the tests that ended well nor of those whose process was killed."""
    done = run(
        f"""
def test_it(go, browser):
    go(GOOD)
    with open({str(tmp_path / "pid")!r}, "w") as file:
        file.write(str(browser.pid))
    {end}
"""
    )
    assert done.ret not in (0, 1)
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not _runs(pid), 60, "end of the browser")
    wait_until(lambda: not list(run.temporary.iterdir()), 60, "no profile")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

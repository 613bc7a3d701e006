"""A site of somebody else on this machine, whose pages a person of the dashboard opens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_PAGE = '<!doctype html><html lang="en"><head><title>evil</title><link rel="icon" href="data:,">'


@dataclass
class OtherSite:
    """Pages of one server, which browsers know under two names.

    Attributes:
        port: Of the server.
        pages: What is in the body of each, by its path.
    """

    port: int
    pages: dict[str, str] = field(default_factory=dict)

    @property
    def same_site(self) -> str:
        """An origin whose requests have the cookies of the dashboard: ports are no sites."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cross_site(self) -> str:
        """An origin of another site than that of the dashboard."""
        return f"http://localhost:{self.port}"


@contextmanager
def other_site() -> Iterator[OtherSite]:
    """Serve such a site."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = site.pages.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"{_PAGE}</head><body>{body}</body></html>".encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = OtherSite(server.server_port)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()

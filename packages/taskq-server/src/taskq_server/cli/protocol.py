"""HTTP/1 on one connection: uvicorn's, with what a server at the edge must not leave open."""

import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


class Protocol(HttpToolsProtocol):
    """Serve one connection."""

    def on_headers_complete(self) -> None:
        """Start the request whose head is complete."""
        if not self.url.startswith(b"/"):
            self._take_host_of_target()
        super().on_headers_complete()

    def _take_host_of_target(self) -> None:
        """Let a target like `http://host/path` name the host, as RFC 9112 says (section 3.2.2).

        The application does not see the target. Where another Host is there, it sees both.
        """
        target = _ABSOLUTE.match(self.url)
        if target and (b"host", target[1]) not in self.headers:
            self.headers.append((b"host", target[1]))

"""Schemas that cannot be used, and a server that must not be asked for what they refer to."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field

from taskq_server import handler


@handler("unusable.required")
async def required(month: Annotated[str, Field(json_schema_extra={"required": True})]) -> str:
    """Have a schema that is none."""
    return month


class Temptation:
    """What schemas refer to: `url`, which counts in `visits` who asks, and the file `path`."""

    def __init__(self, url: str, path: str) -> None:
        self.url = url
        self.path = path
        self.visits = 0

    def schemas(self) -> dict[str, Any]:
        """Return schemas that are only usable if what they refer to is fetched."""
        there = f"{self.url}/x.json"
        remote = {
            "http": there,
            "file": f"file://{self.path}",
            "relative": "x.json",
            "absolute path": self.path,
            "urn": "urn:example:x",
            "https": "https://127.0.0.1:9/x.json",
        }
        older = "http://json-schema.org/draft-04/schema#"
        return {
            **{f"$ref {name}": {"$ref": uri} for name, uri in remote.items()},
            **{f"$schema {name}": {"$schema": uri} for name, uri in remote.items()},
            "$dynamicRef": {"$dynamicRef": f"{there}#here"},
            "$id": {"$id": there, "$ref": "y.json"},
            "$id of a part": {"properties": {"a": {"$id": there, "$ref": "y.json"}}},
            "id": {"$schema": older, "id": there, "allOf": [{"$ref": "y.json"}]},
            "part": {"properties": {"a": {"items": [{"$ref": there}]}}},
            "definition that nobody needs": {"$defs": {"a": {"$ref": there}}},
            "contents": {"contentMediaType": "a/b", "contentSchema": {"$ref": there}},
            "missing": {"$ref": "#/$defs/nowhere"},
            "missing anchor": {"$ref": "#nowhere"},
        }


BROKEN: dict[str, str] = {
    "no JSON": "{",
    "nothing": "",
    "null": "null",
    "a list": "[]",
    "a text": '"object"',
    "true": "true",
    "a deep one": '{"not":' * 100_000 + "{}" + "}" * 100_000,
    "a nested one": '{"not":' * 500 + "{}" + "}" * 500,
    "a lone surrogate": '{"default": "\\ud800"}',
    "a long number": '{"maximum": ' + "9" * 10_000 + "}",
    **{
        f"{word} {value!r}": json.dumps({"properties": {"a": {word: value}}})
        for word, value in {
            "required": True,
            "type": "strnig",
            "pattern": "(?P<q>['\"]).*(?P=q)",
            "patternProperties": {"(": {}},
            "enum": 5,
            "minimum": "1",
            "properties": [],
            "$ref": 5,
        }.items()
    },
}
"""Texts that are no schema."""


@contextmanager
def temptation(folder: Any) -> Iterator[Temptation]:
    """Serve a schema, and write it to a file."""
    path = folder / "x.json"
    path.write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Temptation(f"http://127.0.0.1:{listener.getsockname()[1]}", str(path))

        def serve() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                made.visits += 1
                with caller:
                    caller.recv(65_536)
                    caller.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)

"""The files that pages load: read once, under addresses that change with their content."""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_DIGEST_LENGTH = 12


@dataclass(frozen=True)
class AssetFile:
    """One file.

    Attributes:
        content: of the file.
        media_type: for the `Content-Type` of an answer.
    """

    content: bytes
    media_type: str

    @cached_property
    def gzipped(self) -> bytes:
        """The content, compressed at the first use."""
        return gzip.compress(self.content, mtime=0)


class AssetFiles:
    """The scripts, styles and images of some folders, which are read at the first use.

    The files of a folder share one digest, so that a module finds its neighbours by relative
    addresses, and what has not changed stays in the caches of browsers.

    Args:
        folders: without folders in them; one that does not exist is empty. Names are unique.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def path(self, name: str) -> str:
        """Return the digest of a file and its name, with a slash between them.

        Raises:
            LookupError: there is no file of this name.
        """
        return self._paths[name]

    def find(self, digest: str, name: str) -> AssetFile | None:
        """Return a file, or None where none has this digest and name."""
        return self._files.get(f"{digest}/{name}")

    def __contains__(self, name: str) -> bool:
        return name in self._paths

    @cached_property
    def _files(self) -> Mapping[str, AssetFile]:
        return dict(found for folder in self._folders for found in _read(folder))

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        return {path.partition("/")[2]: path for path in self._files}


def _read(folder: Path) -> Iterator[tuple[str, AssetFile]]:
    found = {path.name: path for path in folder.glob("*") if path.suffix in _TYPES}
    contents = {name: found[name].read_bytes() for name in sorted(found)}
    whole = hashlib.sha256()
    for name, content in contents.items():
        whole.update(f"{name} {len(content)} ".encode() + content)
    digest = whole.hexdigest()[:_DIGEST_LENGTH]
    for name, content in contents.items():
        yield f"{digest}/{name}", AssetFile(content, _TYPES[found[name].suffix])

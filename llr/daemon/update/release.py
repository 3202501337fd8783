"""What a release manifest says, and which of two versions is the newer. Pure.

A manifest is a JSON object: `version`, `url` (may be relative to the manifest), `sha256`, and if wanted `size`,
`minPython`, `signature` (minisign: its text, or its URL). Older versions stand under `releases`, in the same form.
"""

import re
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from llr.base.jsonio import JSON, InvalidJSON, loads
from llr.base.records import dataclass

# An archive is below 3 MB; what is far above it is something else.
MAX_BYTES = 64 * 1024 * 1024
MAX_MANIFEST_BYTES = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"\d+")


class UpdateError(Exception):
    """An update cannot be had; `message` says why, `fix` what to do. Nothing was changed."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Release:
    """One version. `source` is a URL or a path; `signature` a URL, a path or the signature's text."""

    source: str
    sha256: str
    version: str | None = None
    size: int | None = None
    min_python: str | None = None
    signature: str | None = None


def version_key(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Returns what versions are ordered by: numbers as numbers, and a version with a suffix before the one without."""
    head, mark, tail = re.match(r"([\d.]*)([^\d.]?)(.*)", version.strip().removeprefix("v"), re.DOTALL).groups()  # type: ignore[union-attr]
    numbers = [int(word) for word in _NUMBER.findall(head)]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), not mark, mark + tail


def newer(version: str, than: str) -> bool:
    """Returns whether a version is the newer one: 2.10.0 is newer than 2.9.0, 3.0.0 than 3.0.0rc1."""
    return version_key(version) > version_key(than)


def runs_on(min_python: str | None, python: tuple[int, int]) -> bool:
    """Returns whether this Python is new enough."""
    return min_python is None or version_key(min_python)[0] <= python


def is_url(source: str) -> bool:
    """Returns whether a source is an address rather than a path (`C:\\x` is a path)."""
    return len(urlsplit(source).scheme) > 1 and "://" in source


def checked_url(url: str) -> str:
    """Returns the URL. Raises `UpdateError` unless it is https, or http on this machine."""
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme == "https" or (parts.scheme == "http" and local):
        return url
    raise UpdateError(f"Updates are fetched over https only, not from {url}.", "Or copy the file here: --from FILE.")


def sha256_of(text: str) -> str:
    """Returns the hash in the text of a `.sha256` file or of a flag. Raises `UpdateError`."""
    word = (text.split() or [""])[0].lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(word):
        raise UpdateError("A SHA-256 has 64 hexadecimal digits; this is none.", "Take it from where the file is from.")
    return word


def read_manifest(data: bytes, url: str, wanted: str | None) -> Release:
    """Returns the newest release, or the one of the version `wanted`. Raises `UpdateError`."""
    try:
        raw = loads(data)
    except InvalidJSON as exc:
        raise UpdateError(f"The release manifest is not JSON: {exc}.") from exc
    if not isinstance(raw, dict):
        raise UpdateError("The release manifest is no JSON object.")
    more = raw.get("releases")
    rows = [raw] if "version" in raw else []
    rows += [row for row in more if isinstance(row, dict)] if isinstance(more, list) else []
    releases = [_release(row, url) for row in rows]
    if wanted is not None:
        releases = [
            one for one in releases if one.version is not None and version_key(one.version) == version_key(wanted)
        ]
    if not releases:
        what = f"version {wanted}" if wanted is not None else "a release"
        raise UpdateError(f"The release manifest does not have {what}.")
    return max(releases, key=lambda one: version_key(one.version or ""))


def _release(row: Mapping[str, JSON], url: str) -> Release:
    version, source, digest = (row.get(name) for name in ("version", "url", "sha256"))
    if not (isinstance(version, str) and isinstance(source, str) and isinstance(digest, str)):
        raise UpdateError("A release needs version, url and sha256.")
    size, python, signature = row.get("size"), row.get("minPython"), row.get("signature")
    if isinstance(signature, str) and "\n" not in signature:
        signature = urljoin(url, signature)
    return Release(
        source=checked_url(urljoin(url, source)),
        sha256=sha256_of(digest),
        version=version,
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        min_python=python if isinstance(python, str) else None,
        signature=signature if isinstance(signature, str) else None,
    )

"""Lists that somebody chose to keep: fetched once, pinned by their digest, and read without any network afterwards.

Each lies as ``trust/KIND/NAME.list`` in the state folder, beside ``NAME.json``, which says where it came from, when,
and its SHA-256. A list that is no longer what was pinned is refused, not passed over.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from sdsafe._internal import atomic
from sdsafe._internal.clock import rfc3339
from sdsafe.core.digests import sha256_hex
from sdsafe.core.trust import ListKind
from sdsafe.errors import ConfigurationError
from sdsafe.provenance.trust.lists import parse_anchors, read_list

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sdsafe.core.places import Places

__all__ = ["Kept", "TrustStore", "fetch"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MOST_BYTES = 16 << 20
_TIMEOUT_S = 30.0
_PIECE = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A list that is kept."""

    kind: ListKind
    name: str
    source: str
    """Address or file name it came from."""
    sha256: str
    fetched_at: str
    """RFC 3339."""
    anchors: tuple[bytes, ...]
    """PEM."""


class TrustStore:
    """The lists in one state folder."""

    __slots__ = ("_folder",)

    def __init__(self, places: Places) -> None:
        """Look in ``places.state``; nothing is made there before a list is kept."""
        self._folder = places.state / "trust"

    def kept(self, kind: ListKind | None = None) -> tuple[Kept, ...]:
        """Return the lists of a kind, or all, in the order of their names.

        Raises:
            ConfigurationError: ``trust.changed``: a list is not what was pinned. Or what is wrong with one.
        """
        kinds = tuple(ListKind) if kind is None else (kind,)
        found = [
            self._read(each, path.stem) for each in kinds for path in sorted((self._folder / each.value).glob("*.list"))
        ]
        return tuple(found)

    def anchors(self) -> Mapping[ListKind, tuple[bytes, ...]]:
        """Return the anchors of all lists, by kind."""
        kept = self.kept()
        return {kind: tuple(pem for each in kept if each.kind is kind for pem in each.anchors) for kind in ListKind}

    def keep(self, kind: ListKind, name: str, data: bytes, source: str) -> Kept:
        """Keep a list under a name; one of that name is replaced.

        Raises:
            ConfigurationError: ``trust.name``, or what ``lists.parse_anchors`` finds wrong: nothing is changed then.
        """
        path = self._path(kind, name)
        about = _About(source=source, sha256=sha256_hex(data), fetched_at=rfc3339())
        anchors = parse_anchors(data, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(path.with_suffix(".list"), data)
        atomic.replace(path.with_suffix(".json"), json.dumps(asdict(about), indent=2).encode())
        return Kept(kind=kind, name=name, anchors=anchors, **asdict(about))

    def remove(self, kind: ListKind, name: str) -> None:
        """Forget a list.

        Raises:
            ConfigurationError: ``trust.unknown``: there is none of that name.
        """
        path = self._path(kind, name)
        if not path.with_suffix(".list").exists():
            raise ConfigurationError(
                f"no {kind.value} list {name!r} is kept", code="trust.unknown", hint="`sdsafe trust list` shows them."
            )
        path.with_suffix(".list").unlink()
        path.with_suffix(".json").unlink(missing_ok=True)

    def _path(self, kind: ListKind, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} is no name for a list", code="trust.name", hint="Use small letters, digits, . _ and -."
            )
        return self._folder / kind.value / f"{name}.list"

    def _read(self, kind: ListKind, name: str) -> Kept:
        path = self._path(kind, name)
        data = read_list(path)
        about = _About.read(path.with_suffix(".json"))
        if about is None or sha256_hex(data) != about.sha256:
            raise ConfigurationError(
                f"the {kind.value} list {name!r} is not what was fetched",
                code="trust.changed",
                hint=f"Fetch it again with `sdsafe trust update`, or `sdsafe trust remove {kind.value} {name}`.",
            )
        return Kept(kind=kind, name=name, anchors=parse_anchors(data, name), **asdict(about))


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    source: str
    sha256: str
    fetched_at: str

    @classmethod
    def read(cls, path: Path) -> Self | None:
        try:
            found = json.loads(path.read_bytes())
            return cls(**{name: str(found[name]) for name in ("source", "sha256", "fetched_at")})
        except (OSError, ValueError, TypeError, KeyError):
            return None


def fetch(address: str, *, timeout_s: float = _TIMEOUT_S) -> bytes:
    """Return what lies at an ``https`` address (or ``http`` on loopback), once, without following redirects elsewhere.

    Raises:
        ConfigurationError: ``trust.fetch``: it cannot be fetched, or is too large to be a list.
    """
    parts = urlsplit(address)
    local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if not parts.hostname or parts.scheme not in ({"http", "https"} if local else {"https"}):
        raise ConfigurationError(
            f"{address!r} is no https address", code="trust.fetch", hint="Fetch the list yourself and name the file."
        )
    deadline, data = time.monotonic() + timeout_s, b""
    try:
        with urllib.request.build_opener(_NoRedirects()).open(address, timeout=timeout_s) as response:
            while piece := response.read1(_PIECE):
                data += piece
                if len(data) > _MOST_BYTES or time.monotonic() > deadline:
                    raise TimeoutError
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise ConfigurationError(
            f"the list at {parts.hostname} cannot be fetched: {type(error).__name__}",
            code="trust.fetch",
            hint="Fetch it yourself and name the file.",
        ) from None
    return data


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A list comes from the address that somebody named."""

    def redirect_request(self, *_: object) -> None:
        """Follow none."""

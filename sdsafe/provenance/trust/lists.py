"""Trust lists as C2PA publishes them: PEM files with remarks between the certificates, and ETSI TS 119 602 JSON.

The kind of a list is not written in the file: whoever names the file says whether its certificates are anchors
for signers of claims, for time-stamps or for identities.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe.errors import ConfigurationError
from sdsafe.provenance.trust import lote
from sdsafe.provenance.trust.anchors import anchor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sdsafe.core.trust import ListKind

__all__ = ["load_anchors", "load_lists", "parse_anchors", "read_list"]

_MAX_LIST_BYTES = 16 << 20  # the official list has 38 KB
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_SUFFIXES = (".pem", ".crt", ".json")
_BEGIN = re.compile(rb"-----BEGIN ")


def load_lists(files: Mapping[ListKind, Iterable[Path]]) -> Mapping[ListKind, tuple[bytes, ...]]:
    """Load several files per kind and return their anchors as ``TrustPolicy`` wants them.

    Raises:
        ConfigurationError: See ``load_anchors``.
    """
    return MappingProxyType(
        {kind: tuple(pem for path in paths for pem in load_anchors(path)) for kind, paths in files.items()}
    )


def load_anchors(path: Path) -> tuple[bytes, ...]:
    """Return every trust anchor in the list ``path``, one PEM block each, in the order of the file.

    Args:
        path: A PEM file, a JSON list, or a folder whose files (.pem, .crt, .json) are all lists.

    Raises:
        ConfigurationError: ``trust.unreadable`` (no such file, no right to read it), ``trust.empty`` (a folder without
            lists), or what ``parse_anchors`` finds wrong. A list is used whole or not at all.
    """
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)
        if not files:
            raise ConfigurationError(
                f"{path.name}: no trust list in this folder",
                code="trust.empty",
                hint=f"Lists are files that end in {', '.join(_SUFFIXES)}.",
            )
        return tuple(dict.fromkeys(pem for each in files for pem in load_anchors(each)))
    return parse_anchors(read_list(path), path.name)


def read_list(path: Path) -> bytes:
    """Return the bytes of a list.

    Raises:
        ConfigurationError: ``trust.unreadable``, or ``trust.format`` for a file that is too large to be one.
    """
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise ConfigurationError(f"{path.name}: too large for a trust list", code="trust.format")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path.name}: the trust list cannot be read: {error.strerror}",
            code="trust.unreadable",
            hint="Check the path given with --trust or in the settings.",
        ) from error
    return data


def parse_anchors(data: bytes, name: str) -> tuple[bytes, ...]:
    """Return every trust anchor in ``data``; anything between PEM blocks is taken for a remark.

    Args:
        data: The content of a PEM file, or of a list in JSON.
        name: What messages call it.

    Raises:
        ConfigurationError: ``trust.empty``: no certificate in it. ``trust.format``: a block that is cut off, is
            no certificate, or is the certificate of something other than a certification authority.
            ``trust.private-key``: the file holds a private key.
    """
    if data.lstrip()[:1] == b"{":
        return lote.parse(data, name).anchors
    blocks = list(_BLOCK.finditer(data))
    if len(blocks) != len(_BEGIN.findall(data)):
        raise ConfigurationError(f"{name}: a PEM block is cut off", code="trust.format", hint="Fetch the list again.")
    if any(b"PRIVATE KEY" in block.group(1) for block in blocks):
        raise ConfigurationError(
            f"{name}: this file holds a private key, not a trust list",
            code="trust.private-key",
            hint="Give the certificate of the root (root.pem), and keep the key to yourself.",
        )
    if not blocks:
        raise ConfigurationError(
            f"{name}: no certificate in this trust list",
            code="trust.empty",
            hint="A list is a PEM file with at least one BEGIN CERTIFICATE block. An empty list trusts nobody.",
        )
    return tuple(_of_pem(block.group(0), f"{name}: certificate {n}") for n, block in enumerate(blocks, 1))


def _of_pem(block: bytes, where: str) -> bytes:
    try:
        der = x509.load_pem_x509_certificate(block).public_bytes(Encoding.DER)
    except ValueError as error:
        raise ConfigurationError(
            f"{where} cannot be read", code="trust.format", hint="Fetch the list again."
        ) from error
    return anchor(der, where)

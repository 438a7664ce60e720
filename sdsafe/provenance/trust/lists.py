"""Trust lists: PEM files as C2PA publishes them, with remarks between the certificates.

The kind of a list is not written in the file: whoever names the file says whether its certificates are anchors
for signers of claims, for time-stamps or for identities.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.certificates import extension, load, short_name
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sdsafe.core.trust import ListKind

__all__ = ["load_anchors", "load_lists", "parse_anchors"]

_MAX_LIST_BYTES = 16 << 20  # the official list has 38 KB
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
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
    """Return every trust anchor in the PEM file ``path``, one PEM block each, in the order of the file.

    Raises:
        ConfigurationError: ``trust.unreadable`` (no such file, no right to read it), or what ``parse_anchors``
            finds wrong. A list is used whole or not at all.
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
    return parse_anchors(data, path.name)


def parse_anchors(data: bytes, name: str) -> tuple[bytes, ...]:
    """Return every trust anchor in ``data``; anything between PEM blocks is taken for a remark.

    Args:
        data: The content of a PEM file.
        name: What messages call it.

    Raises:
        ConfigurationError: ``trust.empty``: no certificate in it. ``trust.format``: a block that is cut off, is
            no certificate, or is the certificate of something other than a certification authority.
            ``trust.private-key``: the file holds a private key.
    """
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
    return tuple(_anchor(block.group(0), f"{name}: certificate {n}") for n, block in enumerate(blocks, 1))


def _anchor(block: bytes, where: str) -> bytes:
    try:
        certificate = load(x509.load_pem_x509_certificate(block).public_bytes(Encoding.DER))
    except ValueError as error:
        raise ConfigurationError(
            f"{where} cannot be read", code="trust.format", hint="Fetch the list again."
        ) from error
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise ConfigurationError(
            f"{where} ({short_name(certificate)}) is not that of a certification authority",
            code="trust.format",
            hint="Anchors are roots or issuing authorities; give root.pem rather than chain.pem.",
        )
    return certificate.public_bytes(Encoding.PEM)

"""Signing credentials on disk: making one for development, and warning before one ends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from sdsafe._internal import atomic
from sdsafe._internal.certificates import load
from sdsafe._internal.clock import now
from sdsafe.errors import AssetError, SigningError
from sdsafe.provenance.signing._issue import issue
from sdsafe.provenance.signing.lint import Remark, lint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = [
    "CHAIN_FILE",
    "KEY_FILE",
    "ROOT_FILE",
    "ROOT_KEY_FILE",
    "DevelopmentCredential",
    "Remark",
    "expiry_warning",
    "init_development",
    "lint",
]

ROOT_FILE = "root.pem"
CHAIN_FILE = "chain.pem"
KEY_FILE = "leaf.key"
ROOT_KEY_FILE = "root.key"

_WARN_BEFORE = timedelta(days=14)
_MAX_NAME = 40  # X.520 allows 64 characters in a common name; ours says more than the name


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentCredential:
    """What ``init_development`` wrote, and for how long it is good."""

    folder: Path
    subject: str
    root_sha256: str
    """Fingerprint of the root certificate (SHA-256 of the DER): what to compare before trusting it."""
    not_after: datetime
    encrypted: bool
    kept_root: str | None
    """Name of the file that an older root was kept under, so that what it vouched for stays provable."""


def init_development(
    folder: Path, *, name: str, password: bytes | None, force: bool, keep_root_key: bool = False
) -> DevelopmentCredential:
    """Make a development hierarchy and write it to ``folder``. Nothing is installed as trusted anywhere.

    Files: ``root.pem`` (certificate only), ``chain.pem`` (leaf, then issuing), ``leaf.key`` (PKCS#8, mode 0600).
    The private keys of root and issuing authority are not kept, so nobody can issue a second leaf with them.

    Args:
        folder: Created when missing, mode 0700.
        name: The organisation in every subject, 1 to 40 printable characters.
        password: Encrypts the key; None leaves it readable by whoever reads the file.
        force: Replace a credential that is there. Its root certificate is kept beside the new one.
        keep_root_key: Write ``root.key`` too, encrypted likewise.

    Raises:
        SigningError: ``signing.exists``: there is a credential and ``force`` is false. ``signing.name``: not a
            name that fits into a certificate. ``signing.password``: an empty password.
        AssetError: The folder cannot be written. No half-written file is left.
    """
    _check_name(name)
    if password == b"":
        raise SigningError("the password is empty", code="signing.password", hint="Give one, or none at all.")
    taken = [each for each in (KEY_FILE, CHAIN_FILE, ROOT_FILE, ROOT_KEY_FILE) if (folder / each).exists()]
    if taken and not force:
        raise SigningError(
            f"there is a credential already: {', '.join(taken)}",
            code="signing.exists",
            hint="`sdsafe keys init --force` replaces it; files signed with it keep their old root.",
        )
    hierarchy = issue(name, now())
    lock = NoEncryption() if password is None else BestAvailableEncryption(password)
    files = {
        KEY_FILE: _private(hierarchy.leaf_key, lock),
        CHAIN_FILE: hierarchy.leaf.public_bytes(Encoding.PEM) + hierarchy.issuing.public_bytes(Encoding.PEM),
        ROOT_FILE: hierarchy.root.public_bytes(Encoding.PEM),
    }
    if keep_root_key:
        files[ROOT_KEY_FILE] = _private(hierarchy.root_key, lock)
    _make(folder)
    kept = _keep_old_root(folder)
    _write_all(folder, files, force=force)
    return DevelopmentCredential(
        folder=folder,
        subject=hierarchy.leaf.subject.rfc4514_string(),
        root_sha256=_fingerprint(hierarchy.root),
        not_after=hierarchy.leaf.not_valid_after_utc,
        encrypted=password is not None,
        kept_root=kept,
    )


def expiry_warning(leaf: bytes, at: datetime | None = None) -> str | None:
    """Return a sentence when the leaf (DER) ends within 14 days, or has ended; None while all is well.

    Raises:
        SigningError: ``signing.unreadable``: that is no certificate.
    """
    moment = at or now()
    try:
        ends = load(leaf).not_valid_after_utc
    except ValueError as error:
        raise SigningError("the signer's leaf is not a DER certificate", code="signing.unreadable") from error
    if ends - moment > _WARN_BEFORE:
        return None
    if ends < moment:
        ended = f"the signing certificate expired at {ends:%Y-%m-%d %H:%M} UTC"
        return f"{ended}: ask for a new one (`sdsafe keys csr`; of a development CA: `sdsafe keys init --force`)"
    days = (ends - moment).days
    left = f"in {days} days" if days > 1 else "within two days"
    return f"the signing certificate expires {left} ({ends:%Y-%m-%d %H:%M} UTC): renew it before it does"


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable() or name != name.strip():
        raise SigningError(
            f"a name has 1 to {_MAX_NAME} printable characters and no blanks around it",
            code="signing.name",
            hint="Give the name of your organisation or project.",
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SigningError(
            f"the folder for keys cannot be made: {error.strerror}",
            code="signing.folder",
            hint="Check the rights of the state folder, or set SDSAFE_HOME.",
        ) from error


def _write_all(folder: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    """Write every file, or, where nothing may be replaced, none.

    A run that is killed half-way leaves a key and a chain that do not fit; the signer says so and names the way out.
    """
    written: list[str] = []
    try:
        for name, data in files.items():
            mode = 0o600 if name in (KEY_FILE, ROOT_KEY_FILE) else 0o644
            (atomic.replace if force else atomic.write_new)(folder / name, data, mode=mode)
            written.append(name)
    except AssetError:
        for name in () if force else written:
            (folder / name).unlink(missing_ok=True)
        raise
    if ROOT_KEY_FILE not in files:
        (folder / ROOT_KEY_FILE).unlink(missing_ok=True)  # of a root that is being replaced


def _keep_old_root(folder: Path) -> str | None:
    """Keep the certificate of the root that is about to be replaced; its name says which one it is."""
    try:
        pem = (folder / ROOT_FILE).read_bytes()
        name = f"root-{_fingerprint(x509.load_pem_x509_certificate(pem))[:8]}.pem"
    except (OSError, ValueError):
        return None
    atomic.replace(folder / name, pem)
    return name


def _private(key: EllipticCurvePrivateKey, lock: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


def _fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()

"""Signing with a key from a file: PEM, encrypted or not, PKCS#8, SEC1 or PKCS#1."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from sdsafe._internal.certificates import short_name, validity_faults
from sdsafe._internal.clock import now
from sdsafe.errors import PluginError, SigningError
from sdsafe.provenance.signing.credentials import CHAIN_FILE, KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from sdsafe.core.places import Places

__all__ = ["PASSWORD_VARIABLE", "FileSigner", "read_chain", "read_public_key"]

PASSWORD_VARIABLE = "SDSAFE_KEY_PASSWORD"  # noqa: S105 - the name of a variable, not a password

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_ECDSA: Mapping[str, tuple[str, hashes.HashAlgorithm]] = {
    "secp256r1": ("es256", hashes.SHA256()),
    "secp384r1": ("es384", hashes.SHA384()),
    "secp521r1": ("es512", hashes.SHA512()),
}
_LEAST_RSA_BITS = 2048
_OPTIONS = {"path", "key", "password", "password-file"}


class FileSigner:
    """Signs with a private key that was read from a file and does not leave this object.

    It can be neither copied nor pickled, and its ``repr`` shows no key and no path.
    Safe to share between threads.
    """

    __slots__ = ("__alg", "__certificates", "__key")

    def __init__(self, chain: Path, key: Path, *, password: Callable[[], bytes | None] | None = None) -> None:
        """Load and check a credential.

        Args:
            chain: PEM certificates, leaf first.
            key: PEM private key.
            password: Asked for the password of an encrypted key; default: the variable ``SDSAFE_KEY_PASSWORD``.

        Raises:
            SigningError: ``signing.missing``, ``signing.unreadable``, ``signing.password``,
                ``signing.unsupported``, ``signing.key-mismatch``, ``signing.expired`` or
                ``signing.not-yet-valid``.
        """
        self.__certificates = _load_chain(chain)
        self.__key = _load_key(key, password or _from_environment)
        self.__alg = _algorithm(self.__key)
        if _spki(self.__certificates[0].public_key()) != _spki(self.__key.public_key()):
            raise SigningError(
                "the private key does not belong to the certificate",
                code="signing.key-mismatch",
                hint="Give the key that the leaf certifies; `sdsafe keys check` looks at both.",
            )
        self.__check_validity()

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a signer from options; by default the credential that ``sdsafe keys init`` wrote.

        Options: ``path``, a folder with ``chain.pem`` and ``leaf.key``, or the chain itself; ``key``, the private
        key; ``password-file``; ``password``, a callable (never the password itself).
        """
        chain, key = _files(places, options)
        return cls(chain, key, password=_password_source(options))

    @property
    def alg(self) -> str:
        """The C2PA name of the algorithm, from the key: es256, es384, es512, ps256 or ed25519."""
        return self.__alg

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """DER certificates as the file has them: leaf first."""
        return tuple(each.public_bytes(Encoding.DER) for each in self.__certificates)

    @property
    def public_key(self) -> bytes:
        """DER SubjectPublicKeyInfo of the key that signs: what ``lint`` compares."""
        return _spki(self.__key.public_key())

    def sign(self, data: bytes, /) -> bytes:
        """Return the raw signature over ``data`` (ECDSA: r and s side by side, IEEE P1363).

        Raises:
            SigningError: ``signing.expired``: the certificate ended while this process ran.
        """
        self.__check_validity()
        key = self.__key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            width = (key.curve.key_size + 7) // 8
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(_ECDSA[key.curve.name][1])))
            return r.to_bytes(width, "big") + s.to_bytes(width, "big")
        if isinstance(key, rsa.RSAPrivateKey):
            # Salt as long as the hash: RFC 8230, section 2.
            return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return key.sign(data)

    def __check_validity(self) -> None:
        for certificate in self.__certificates:
            for fault in validity_faults(certificate, now()):
                raise SigningError(
                    f"the certificate {short_name(certificate)!r} cannot sign now: {fault.says}",
                    code=f"signing.{fault.rule}",
                    hint="Renew it (`sdsafe keys init --force` for a development credential), or check the clock.",
                )

    def __repr__(self) -> str:
        """Name algorithm and subject, nothing secret."""
        return f"FileSigner(alg={self.__alg!r}, subject={short_name(self.__certificates[0])!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: the copy would carry the key."""
        msg = "a signer can be neither copied nor pickled: it holds a private key"
        raise TypeError(msg)


def read_chain(places: Places, options: Mapping[str, object]) -> tuple[bytes, ...]:
    """Return the DER certificates that these options name, leaf first, without judging them.

    Raises:
        SigningError: ``signing.missing`` or ``signing.unreadable``.
    """
    chain, _ = _files(places, options)
    return tuple(each.public_bytes(Encoding.DER) for each in _load_chain(chain))


def read_public_key(places: Places, options: Mapping[str, object]) -> bytes:
    """Return the public half of the key that these options name (DER SubjectPublicKeyInfo), for ``lint``.

    Raises:
        SigningError: ``signing.missing``, ``signing.unreadable``, ``signing.password`` or ``signing.unsupported``.
    """
    _, key = _files(places, options)
    return _spki(_load_key(key, _password_source(options) or _from_environment).public_key())


def _files(places: Places, options: Mapping[str, object]) -> tuple[Path, Path]:
    """Return the paths of chain and key."""
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise PluginError(f"signer file: unknown option {unknown[0]!r}", hint=f"Known: {', '.join(sorted(_OPTIONS))}.")
    path = _path(options["path"]) if "path" in options else places.keys
    folder = path if path.is_dir() or not path.suffix else path.parent
    chain = folder / CHAIN_FILE if folder == path else path
    return chain, _path(options["key"]) if "key" in options else folder / KEY_FILE


def _from_environment() -> bytes | None:
    value = os.environ.get(PASSWORD_VARIABLE)
    return value.encode() if value else None


def _password_source(options: Mapping[str, object]) -> Callable[[], bytes | None] | None:
    given = options.get("password")
    if given is not None:
        if not callable(given):
            raise PluginError(
                "signer file: the password itself stands in the settings",
                hint=f"Set {PASSWORD_VARIABLE}, or use password-file.",
            )
        return given
    if "password-file" in options:
        file = _path(options["password-file"])
        return lambda: _read(file, "the password file").rstrip(b"\r\n")
    return None


def _path(option: object) -> Path:
    try:
        path = Path(str(option)).expanduser()
    except RuntimeError as error:  # ~somebody, and there is no such user
        raise SigningError("the path of the signer names an unknown home", code="signing.missing") from error
    if "\0" in str(path):
        raise SigningError("the path of the signer holds a NUL character", code="signing.missing")
    return path


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SigningError(
            f"{what} does not exist: {path.name}",
            code="signing.missing",
            hint="`sdsafe keys init` makes a development credential; --signer file:FOLDER names another.",
        ) from error
    except OSError as error:
        raise SigningError(
            f"{what} cannot be read: {path.name}: {error.strerror}",
            code="signing.unreadable",
            hint="Check the rights of the file.",
        ) from error


def _load_chain(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(_read(path, "the certificate chain")))
    except ValueError as error:
        raise SigningError(
            f"{path.name} holds no PEM certificate",
            code="signing.unreadable",
            hint="The chain is a PEM file: leaf first, then whoever issued it.",
        ) from error


def _load_key(path: Path, password: Callable[[], bytes | None]) -> _Key:
    pem = _read(path, "the private key")
    secret = password() if b"ENCRYPTED" in pem else None
    if b"ENCRYPTED" in pem and not secret:
        raise SigningError(
            "the private key is encrypted and no password was given",
            code="signing.password",
            hint=f"Set {PASSWORD_VARIABLE}, or use password-file in the signer URI.",
        )
    try:
        key = load_pem_private_key(pem, secret)
    except Exception as error:
        if secret is not None:
            raise SigningError(
                "the private key does not open with this password",
                code="signing.password",
                hint=f"Check {PASSWORD_VARIABLE}; the file itself may also be damaged.",
            ) from error
        raise SigningError(
            f"{path.name} holds no PEM private key that can be read",
            code="signing.unreadable",
            hint="Use PKCS#8, SEC1 or PKCS#1 in PEM.",
        ) from error
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise _unsupported(type(key).__name__)


def _algorithm(key: _Key) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < _LEAST_RSA_BITS:
            raise _unsupported(f"RSA with {key.key_size} bits")
        return "ps256"
    known = _ECDSA.get(key.curve.name)
    if known is None:
        raise _unsupported(f"curve {key.curve.name}")
    return known[0]


def _unsupported(what: str) -> SigningError:
    return SigningError(
        f"C2PA has no algorithm for this key: {what}",
        code="signing.unsupported",
        hint="Use P-256, P-384, P-521, Ed25519, or RSA of 2048 bits or more.",
    )


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

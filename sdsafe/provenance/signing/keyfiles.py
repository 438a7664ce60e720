"""Keys and certificates out of files, whatever form they have: PEM or DER; PKCS#8, PKCS#1, SEC1, PKCS#12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from sdsafe._internal import atomic
from sdsafe.errors import SigningError
from sdsafe.provenance.signing.algorithms import unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Password = Callable[[], bytes | None]

__all__ = ["PASSWORD_VARIABLE", "PrivateKey", "load_chain", "load_key", "make_key", "read_file"]

PASSWORD_VARIABLE = "SDSAFE_KEY_PASSWORD"  # noqa: S105 - the name of a variable, not a password

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_MAKERS: Mapping[str, Callable[[], PrivateKey]] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    **dict.fromkeys(("ps256", "ps384", "ps512"), lambda: rsa.generate_private_key(65537, 3072)),
}
_PEM = b"-----BEGIN "
_BUNDLES = (".p12", ".pfx")


def read_file(path: Path, what: str) -> bytes:
    """Return the bytes of a file.

    Raises:
        SigningError: ``signing.missing`` or ``signing.unreadable``.
    """
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


def load_chain(path: Path, password: Password) -> tuple[x509.Certificate, ...]:
    """Return the certificates in a file as it has them; of a PKCS#12 bundle the leaf first.

    Raises:
        SigningError: ``signing.missing``, ``signing.unreadable`` or ``signing.password``.
    """
    data = read_file(path, "the certificate chain")
    if _is_bundle(path):
        bundle = _open_bundle(path, data, password)
        leaf = () if bundle.cert is None else (bundle.cert.certificate,)
        chain = (*leaf, *(each.certificate for each in bundle.additional_certs))
        if not leaf:
            raise _unreadable(f"{path.name} holds no certificate for its key", "Export it with its certificate.")
        return chain
    try:
        if _PEM in data:
            return tuple(x509.load_pem_x509_certificates(data))
        return (x509.load_der_x509_certificate(data),)
    except ValueError as error:
        raise _unreadable(
            f"{path.name} holds no certificate in PEM or DER",
            "The chain is a PEM file: leaf first, then whoever issued it.",
        ) from error


def load_key(path: Path, password: Password) -> PrivateKey:
    """Return the private key in a file.

    Args:
        path: PEM or DER, PKCS#8 (encrypted or not), PKCS#1 or SEC1; PKCS#12 where it ends in ``.p12`` or ``.pfx``.
        password: Asked only where the key is encrypted.

    Raises:
        SigningError: ``signing.missing``, ``signing.unreadable``, ``signing.password`` or ``signing.unsupported``.
    """
    data = read_file(path, "the private key")
    if _is_bundle(path):
        found = _open_bundle(path, data, password).key
        if found is None:
            raise _unreadable(f"{path.name} holds no private key", "Export it with its key.")
        return _supported(found)
    load = load_pem_private_key if _PEM in data else load_der_private_key
    try:
        return _supported(load(data, None))
    except TypeError:
        pass  # it is encrypted
    except (ValueError, NotImplementedError) as error:
        raise _unreadable(
            f"{path.name} holds no private key that can be read", "Use PKCS#8, SEC1 or PKCS#1, in PEM or DER."
        ) from error
    secret = password()
    if not secret:
        raise _no_password("the private key")
    try:
        return _supported(load(data, secret))
    except (ValueError, TypeError) as error:
        raise _wrong_password("the private key") from error


def make_key(path: Path, alg: str, password: bytes | None) -> PrivateKey:
    """Make a private key, and write it where nothing is yet (PKCS#8 in PEM, mode 0600).

    Args:
        path: Its folder is made when missing, mode 0700.
        alg: One of the seven; RSA keys have 3072 bits.
        password: Encrypts it; None leaves it readable by whoever reads the file.

    Raises:
        SigningError: ``signing.unsupported``, ``signing.password`` (an empty one), ``signing.exists``.
        AssetError: It cannot be written.
    """
    if alg not in _MAKERS:
        raise unsupported(alg)
    if password == b"":
        raise SigningError("the password is empty", code="signing.password", hint="Give one, or none at all.")
    if path.exists():
        raise SigningError(
            f"there is a key already: {path.name}",
            code="signing.exists",
            hint="A key that signed is kept until nobody needs a time-stamp or a renewal of it: use another folder.",
        )
    key = _MAKERS[alg]()
    lock = NoEncryption() if password is None else BestAvailableEncryption(password)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SigningError(f"the folder for keys cannot be made: {error.strerror}", code="signing.folder") from error
    atomic.write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock), mode=0o600)
    return key


def _is_bundle(path: Path) -> bool:
    return path.suffix.lower() in _BUNDLES


def _open_bundle(path: Path, data: bytes, password: Password) -> pkcs12.PKCS12KeyAndCertificates:
    """Open a PKCS#12 file: without a password where it has none."""
    try:
        return pkcs12.load_pkcs12(data, None)
    except ValueError:
        pass  # it is encrypted, or no bundle at all
    secret = password()
    if not secret:
        raise _no_password(path.name)
    try:
        return pkcs12.load_pkcs12(data, secret)
    except ValueError as error:
        raise _wrong_password(path.name) from error


def _supported(key: object) -> PrivateKey:
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise unsupported(type(key).__name__)


def _no_password(what: str) -> SigningError:
    return SigningError(
        f"{what} is encrypted and no password was given",
        code="signing.password",
        hint=f"Set {PASSWORD_VARIABLE}, keep it in the keyring, or use password-file in the signer URI.",
    )


def _wrong_password(what: str) -> SigningError:
    return SigningError(
        f"{what} does not open with this password",
        code="signing.password",
        hint=f"Check {PASSWORD_VARIABLE}; the file itself may also be damaged.",
    )


def _unreadable(what: str, hint: str) -> SigningError:
    return SigningError(what, code="signing.unreadable", hint=hint)

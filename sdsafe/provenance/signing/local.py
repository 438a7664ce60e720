"""Signing with a key from a file, in any of the usual forms; see ``keyfiles``."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.certificates import short_name, validity_faults
from sdsafe._internal.clock import now
from sdsafe._internal.prompting import ask_person
from sdsafe.errors import PluginError, SigningError
from sdsafe.provenance.signing.algorithms import algorithm_for, joined, spki
from sdsafe.provenance.signing.credentials import CHAIN_FILE, KEY_FILE
from sdsafe.provenance.signing.keyfiles import PASSWORD_VARIABLE, PrivateKey, load_chain, load_key, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sdsafe.core.places import Places

__all__ = ["PASSWORD_VARIABLE", "FileSigner", "key_file", "read_chain", "read_key", "read_public_key"]

_OPTIONS = {"path", "key", "alg", "password", "password-file"}
_BUNDLES = (".p12", ".pfx")
_KEYRING = "sdsafe"  # the service under which a keyring keeps passwords of key files


class FileSigner:
    """Signs with a private key that was read from a file and does not leave this object.

    It can be neither copied nor pickled, and its ``repr`` shows no key and no path.
    Safe to share between threads.
    """

    __slots__ = ("__alg", "__certificates", "__key")

    def __init__(
        self, chain: Path, key: Path, *, password: Callable[[], bytes | None] | None = None, alg: str | None = None
    ) -> None:
        """Load and check a credential.

        Args:
            chain: Certificates, leaf first.
            key: Private key; the same file where it is a PKCS#12 bundle.
            password: Asked for the password of an encrypted key; default: the variable ``SDSAFE_KEY_PASSWORD``, then
                the keyring, where that library is installed, then whoever sits at the command line.
            alg: For RSA keys ps256 (default), ps384 or ps512; of others it follows from the key.

        Raises:
            SigningError: ``signing.missing``, ``signing.unreadable``, ``signing.password``,
                ``signing.unsupported``, ``signing.key-mismatch``, ``signing.expired`` or
                ``signing.not-yet-valid``.
        """
        ask = password or _default_password(key)
        self.__certificates = load_chain(chain, ask)
        self.__key: PrivateKey = load_key(key, ask)
        self.__alg = algorithm_for(self.__key.public_key(), alg)
        if spki(self.__certificates[0].public_key()) != spki(self.__key.public_key()):
            raise SigningError(
                "the private key does not belong to the certificate",
                code="signing.key-mismatch",
                hint="Give the key that the leaf certifies; `sdsafe keys check` looks at both.",
            )
        self.__check_validity()

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a signer from options; by default the credential that ``sdsafe keys init`` wrote.

        Options: ``path``, a folder with ``chain.pem`` and ``leaf.key``, the chain itself, or a PKCS#12 bundle; ``key``,
        the private key; ``alg``; ``password-file``; ``password``, a callable (never the password itself).
        """
        chain, key = _files(places, options)
        alg = str(options["alg"]) if "alg" in options else None
        return cls(chain, key, password=_password_source(options), alg=alg)

    @property
    def alg(self) -> str:
        """The C2PA name of the algorithm: one of seven."""
        return self.__alg.name

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """DER certificates as the file has them: leaf first."""
        return tuple(each.public_bytes(Encoding.DER) for each in self.__certificates)

    @property
    def public_key(self) -> bytes:
        """DER SubjectPublicKeyInfo of the key that signs: what ``lint`` compares."""
        return spki(self.__key.public_key())

    def sign(self, data: bytes, /) -> bytes:
        """Return the raw signature over ``data`` (ECDSA: r and s side by side, IEEE P1363).

        Raises:
            SigningError: ``signing.expired``: the certificate ended while this process ran.
        """
        self.__check_validity()
        key, digest = self.__key, self.__alg.digest
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return joined(key.sign(data, ec.ECDSA(digest)), self.__alg)
        return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)

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
        return f"FileSigner(alg={self.alg!r}, subject={short_name(self.__certificates[0])!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: the copy would carry the key."""
        msg = "a signer can be neither copied nor pickled: it holds a private key"
        raise TypeError(msg)


def read_chain(places: Places, options: Mapping[str, object]) -> tuple[bytes, ...]:
    """Return the DER certificates that these options name, leaf first, without judging them.

    Raises:
        SigningError: ``signing.missing`` or ``signing.unreadable``.
    """
    chain, key = _files(places, options)
    certificates = load_chain(chain, _password_source(options) or _default_password(key))
    return tuple(each.public_bytes(Encoding.DER) for each in certificates)


def key_file(places: Places, options: Mapping[str, object]) -> Path:
    """Return where the private key is that these options name, or would be."""
    return _files(places, options)[1]


def read_key(places: Places, options: Mapping[str, object]) -> PrivateKey:
    """Return the private key that these options name, whether it has certificates or not.

    Raises:
        SigningError: ``signing.missing``, ``signing.unreadable``, ``signing.password`` or ``signing.unsupported``.
    """
    key = key_file(places, options)
    return load_key(key, _password_source(options) or _default_password(key))


def read_public_key(places: Places, options: Mapping[str, object]) -> bytes:
    """Return the public half of the key that these options name (DER SubjectPublicKeyInfo), for ``lint``.

    Raises:
        SigningError: ``signing.missing``, ``signing.unreadable``, ``signing.password`` or ``signing.unsupported``.
    """
    return spki(read_key(places, options).public_key())


def _files(places: Places, options: Mapping[str, object]) -> tuple[Path, Path]:
    """Return the paths of chain and key."""
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise PluginError(f"signer file: unknown option {unknown[0]!r}", hint=f"Known: {', '.join(sorted(_OPTIONS))}.")
    path = _path(options["path"]) if "path" in options else places.keys
    if path.suffix.lower() in _BUNDLES:
        return path, _path(options["key"]) if "key" in options else path
    folder = path if path.is_dir() or not path.suffix else path.parent
    chain = folder / CHAIN_FILE if folder == path else path
    return chain, _path(options["key"]) if "key" in options else folder / KEY_FILE


def _default_password(key: Path) -> Callable[[], bytes | None]:
    """Return what looks for the password of a key file: the environment, the keyring, then a person at a terminal."""

    def ask() -> bytes | None:
        value = os.environ.get(PASSWORD_VARIABLE)
        if value:
            return value.encode()
        kept = _from_keyring(key) or ask_person(f"Password of {key.name}")
        return kept.encode() if kept else None

    return ask


def _from_keyring(key: Path) -> str | None:
    if find_spec("keyring") is None:
        return None
    import keyring

    try:
        kept: str | None = keyring.get_password(_KEYRING, str(key.resolve()))
    except Exception as error:
        raise SigningError(
            f"the keyring does not answer: {type(error).__name__}",
            code="signing.password",
            hint=f"Unlock it, or set {PASSWORD_VARIABLE}.",
        ) from error
    return kept


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
        return lambda: read_file(file, "the password file").rstrip(b"\r\n")
    return None


def _path(option: object) -> Path:
    try:
        path = Path(str(option)).expanduser()
    except RuntimeError as error:  # ~somebody, and there is no such user
        raise SigningError("the path of the signer names an unknown home", code="signing.missing") from error
    if "\0" in str(path):
        raise SigningError("the path of the signer holds a NUL character", code="signing.missing")
    return path

"""Signing with a token or a hardware security module over PKCS#11. Needs the extra ``pkcs11`` (python-pkcs11)."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from sdsafe._internal.prompting import ask_person
from sdsafe.errors import MissingExtraError, SigningError
from sdsafe.provenance.signing.algorithms import spki
from sdsafe.provenance.signing.elsewhere import Credential, require_options
from sdsafe.provenance.signing.keyfiles import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.places import Places

__all__ = ["PIN_VARIABLE", "Pkcs11Signer"]

PIN_VARIABLE = "SDSAFE_PKCS11_PIN"
_OPTIONS = {"path", "module", "object", "chain", "alg", "pin-file"}
_ED25519_BYTES = 32


class Pkcs11Signer:
    """Signs with a private key that a token holds. One thread at a time uses the session; a lost one is opened anew."""

    __slots__ = ("__credential", "__key", "__label", "__lib", "__lock", "__pin", "__session", "__token")

    def __init__(self, module: Path, token: str, label: str, pin: str, credential: Credential) -> None:
        """Open the token, and find the key.

        Args:
            module: The library that its maker gives.
            token: Label of the token.
            label: Label of the private key.
            pin: Of the user.
            credential: Certificates of that key.

        Raises:
            SigningError: ``signing.missing`` (module, token or key), ``signing.password`` (the PIN is wrong or locked),
                ``signing.unreachable``.
        """
        self.__credential = credential
        self.__token, self.__label, self.__pin = token, label, pin
        self.__lock = threading.Lock()
        self.__lib = _library(module)
        self.__session: Any = None
        self.__key: Any = None
        self.__open()

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a signer from options.

        Options: ``path``, the token's label; ``module``, the PKCS#11 library; ``object``, the key's label; ``chain``;
        ``alg``; ``pin-file`` (default: the variable ``SDSAFE_PKCS11_PIN``, then whoever sits at the command line).

        Raises:
            MissingExtraError: python-pkcs11 is not installed.
        """
        del places
        require_options("pkcs11", options, _OPTIONS)
        if find_spec("pkcs11") is None:
            raise MissingExtraError("signing with PKCS#11", extra="pkcs11", detail="no module pkcs11")
        for name in ("path", "module", "object"):
            if name not in options:
                raise SigningError(
                    f"the signer names no {name}",
                    code="signing.uri",
                    hint="Write pkcs11:TOKEN?module=LIBRARY&object=KEY&chain=FILE.",
                )
        module, token = Path(str(options["module"])).expanduser(), str(options["path"])
        label, pin = str(options["object"]), _pin(options)
        credential = Credential.of(options, lambda: _public_key(_library(module), token, label, pin))
        return cls(module, token, label, pin, credential)

    @property
    def alg(self) -> str:
        """From the certificate."""
        return self.__credential.algorithm.name

    @property
    def certificate_chain(self) -> tuple[bytes, ...]:
        """DER certificates, leaf first."""
        return self.__credential.chain

    @property
    def public_key(self) -> bytes:
        """DER SubjectPublicKeyInfo of the key that signs."""
        return self.__credential.spki

    def sign(self, data: bytes, /) -> bytes:
        """Return the token's signature over ``data``.

        Raises:
            SigningError: ``signing.unreachable``: the token was removed, or does not answer.
        """
        with self.__lock:
            if self.__session is None:
                self.__open()
            try:
                return self.__signed(data)
            except _faults() as error:
                self.__close()
                raise _told(error) from None

    def __signed(self, data: bytes) -> bytes:
        from pkcs11 import MGF, Mechanism

        algorithm, public = self.__credential.algorithm, self.__credential.public
        if isinstance(public, ed25519.Ed25519PublicKey):
            return bytes(self.__key.sign(data, mechanism=Mechanism.EDDSA))
        bits = algorithm.digest.digest_size * 8
        if isinstance(public, ec.EllipticCurvePublicKey):
            from hashlib import new

            # The token is given the digest: not every one hashes by itself, and all give r and s side by side.
            return bytes(self.__key.sign(new(f"sha{bits}", data).digest(), mechanism=Mechanism.ECDSA))
        hashed = getattr(Mechanism, f"SHA{bits}")
        parameters = (hashed, getattr(MGF, f"SHA{bits}"), algorithm.digest.digest_size)
        mechanism = getattr(Mechanism, f"SHA{bits}_RSA_PKCS_PSS")
        return bytes(self.__key.sign(data, mechanism=mechanism, mechanism_param=parameters))

    def __open(self) -> None:
        from pkcs11 import GeneralError

        try:
            try:
                self.__enter()
            except GeneralError:  # as a library says whose token went away and came back
                self.__lib.reinitialize()
                self.__enter()
        except _faults() as error:
            self.__close()
            raise _told(error) from None

    def __enter(self) -> None:
        from pkcs11 import ObjectClass

        self.__session = _session(self.__lib, self.__token, self.__pin)
        self.__key = self.__session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=self.__label)

    def close(self) -> None:
        """Leave the token; the next signature opens it again."""
        with self.__lock:
            self.__close()

    def __close(self) -> None:
        session, self.__session, self.__key = self.__session, None, None
        if session is not None:
            with suppress(*_faults()):  # it may be gone already, which is why it is closed
                session.close()

    def __repr__(self) -> str:
        """Name the algorithm, nothing of the token."""
        return f"Pkcs11Signer(alg={self.alg!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled: the copy would carry the PIN."""
        raise TypeError("a signer can be neither copied nor pickled: it holds a PIN")


def _library(module: Path) -> Any:
    import pkcs11

    if not module.is_file():
        raise SigningError(
            f"there is no PKCS#11 library {module.name!r}",
            code="signing.missing",
            hint="`module` is the file that the maker of the token gives, such as libsofthsm2.so.",
        )
    try:
        return pkcs11.lib(str(module))
    except _faults() as error:
        raise _told(error) from None


def _session(library: Any, label: str, pin: str) -> Any:
    from pkcs11 import UserAlreadyLoggedIn

    token = library.get_token(token_label=label)
    try:
        return token.open(user_pin=pin)
    except UserAlreadyLoggedIn:  # this process is, and tokens know no other difference
        return token.open()


def _public_key(library: Any, token: str, label: str, pin: str) -> bytes:
    """Return the public half of a key as DER SubjectPublicKeyInfo: tokens keep it beside the private one."""
    from pkcs11 import ObjectClass

    try:
        with _session(library, token, pin) as session:
            return _spki(session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=label))
    except _faults() as error:
        raise _told(error) from None


def _spki(key: Any) -> bytes:
    from pkcs11 import Attribute, KeyType
    from pkcs11.util.ec import encode_ec_public_key

    if key.key_type is KeyType.RSA:
        modulus, exponent = (int.from_bytes(key[each]) for each in (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT))
        return spki(rsa.RSAPublicNumbers(exponent, modulus).public_key())
    if key.key_type is KeyType.EC_EDWARDS:
        point = bytes(key[Attribute.EC_POINT])
        return spki(ed25519.Ed25519PublicKey.from_public_bytes(point[-_ED25519_BYTES:]))  # some wrap it, some do not
    return bytes(encode_ec_public_key(key))


def _faults() -> tuple[type[Exception], ...]:
    """Return what the library raises: its own errors, and those of a module that cannot be loaded."""
    import pkcs11

    return pkcs11.PKCS11Error, RuntimeError, OSError, ValueError


def _told(error: Exception) -> SigningError:
    """Return what an error of the library means, in words of our own."""
    import pkcs11

    match error:
        case pkcs11.NoSuchToken():
            return SigningError("there is no such token", code="signing.missing", hint="Check its label, and the slot.")
        case pkcs11.NoSuchKey():
            return SigningError(
                "the token holds no such key", code="signing.missing", hint="Check `object`, its label."
            )
        case pkcs11.PinIncorrect() | pkcs11.PinLenRange() | pkcs11.PinInvalid():
            return SigningError(
                "the token does not open with this PIN",
                code="signing.password",
                hint=f"Check {PIN_VARIABLE} or pin-file; most tokens lock after a few attempts.",
            )
        case pkcs11.PinLocked():
            return SigningError(
                "the token is locked after wrong PINs", code="signing.password", hint="Its security officer unlocks it."
            )
    return SigningError(
        f"the token does not sign: {type(error).__name__}",
        code="signing.unreachable",
        hint="Was it removed? Its maker's own tools say more.",
    )


def _pin(options: Mapping[str, object]) -> str:
    if "pin-file" in options:
        pin = read_file(Path(str(options["pin-file"])).expanduser(), "the PIN file").decode("utf-8", "replace").strip()
    else:
        pin = os.environ.get(PIN_VARIABLE, "") or ask_person("PIN of the token") or ""
    if not pin:
        raise SigningError(
            "the token needs a PIN", code="signing.password", hint=f"Set {PIN_VARIABLE}, or use pin-file=FILE."
        )
    return pin

"""Signing with AWS Key Management Service: the key never leaves it. Needs the extra ``kms-aws`` (boto3)."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn, Self

from sdsafe.errors import MissingExtraError, SigningError
from sdsafe.provenance.signing.algorithms import joined
from sdsafe.provenance.signing.elsewhere import Credential, require_options, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sdsafe.core.places import Places

__all__ = ["AwsKmsSigner"]

_OPTIONS = {"path", "chain", "alg", "region", "endpoint"}
_NAMES = {"es": "ECDSA_SHA_{bits}", "ps": "RSASSA_PSS_SHA_{bits}"}
_MOST_RAW = 4096  # bytes that the service hashes itself; of longer messages it takes the digest alone
_CONNECT_S, _READ_S, _ATTEMPTS = 3, 5, 2


class AwsKmsSigner:
    """Signs with an asymmetric key of AWS KMS. Safe to share between threads."""

    __slots__ = ("__client", "__credential", "__key")

    def __init__(self, client: Any, key: str, credential: Credential) -> None:
        """Keep them.

        Args:
            client: A KMS client of boto3.
            key: Id, ARN or alias.
            credential: Certificates of that key.

        Raises:
            SigningError: ``signing.unsupported``: an algorithm that KMS does not offer.
        """
        if credential.algorithm.name[:2] not in _NAMES:
            raise SigningError(
                f"AWS KMS signs no {credential.algorithm.name} here",
                code="signing.unsupported",
                hint="Use an elliptic curve of NIST, or RSA.",
            )
        self.__client = client
        self.__key = key
        self.__credential = credential

    @classmethod
    def configure(cls, places: Places, options: Mapping[str, object]) -> Self:
        """Return a signer from options; credentials for AWS come from where boto3 looks for them.

        Options: ``path``, the key's id, ARN or ``alias/NAME``; ``chain``; ``alg``; ``region``; ``endpoint``.

        Raises:
            MissingExtraError: boto3 is not installed.
            SigningError: The client cannot be made.
        """
        del places
        require_options("awskms", options, _OPTIONS)
        if find_spec("boto3") is None:
            raise MissingExtraError("signing with AWS KMS", extra="kms-aws", detail="no module boto3")
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        limits = Config(connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"total_max_attempts": _ATTEMPTS})
        try:
            client = boto3.client(
                "kms", region_name=text_of(options, "region"), endpoint_url=text_of(options, "endpoint"), config=limits
            )
        except (BotoCoreError, ValueError) as error:
            raise SigningError(
                f"AWS KMS cannot be used: {type(error).__name__}",
                code="signing.unreachable",
                hint="Set a region, and credentials as the AWS command line takes them.",
            ) from error
        key = text_of(options, "path") or ""
        return cls(client, key, Credential.of(options, lambda: _public_key(client, key)))

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
        """Return the service's signature over ``data``; asked twice at most, each within seconds.

        Raises:
            SigningError: ``signing.refused`` (no right to the key, or no such key), ``signing.throttled``,
                ``signing.unreachable``.
        """
        algorithm = self.__credential.algorithm
        bits = algorithm.digest.digest_size * 8
        whole = len(data) <= _MOST_RAW
        answer = _asked(
            self.__client.sign,
            KeyId=self.__key,
            Message=data if whole else hashlib.new(f"sha{bits}", data).digest(),
            MessageType="RAW" if whole else "DIGEST",
            SigningAlgorithm=_NAMES[algorithm.name[:2]].format(bits=bits),
        )
        signature = bytes(answer["Signature"])
        return joined(signature, algorithm) if algorithm.width else signature

    def __repr__(self) -> str:
        """Name the algorithm, not the key."""
        return f"AwsKmsSigner(alg={self.alg!r})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Refuse to be copied or pickled, as every signer does."""
        raise TypeError("a signer can be neither copied nor pickled")


def _public_key(client: Any, key: str) -> bytes:
    """Return the public half as the service shows it: DER SubjectPublicKeyInfo."""
    return bytes(_asked(client.get_public_key, KeyId=key)["PublicKey"])


def _asked(call: Callable[..., Any], **what: object) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call(**what)
    except ClientError as error:
        raise _told(str(error.response.get("Error", {}).get("Code", "unknown"))) from None
    except BotoCoreError as error:
        raise SigningError(
            f"AWS KMS cannot be reached: {type(error).__name__}",
            code="signing.unreachable",
            hint="Check network, region and credentials.",
        ) from None


def _told(code: str) -> SigningError:
    """Return the error for a code of AWS; its messages name accounts and keys and are not repeated."""
    if "Throttl" in code or code in {"LimitExceededException", "RequestLimitExceeded", "TooManyRequestsException"}:
        return SigningError(
            "AWS KMS takes no more requests now", code="signing.throttled", hint="Wait, or ask for a higher quota."
        )
    return SigningError(
        f"AWS KMS did not sign: {code[:60]}",
        code="signing.refused",
        hint="Check the key's id, its usage (SIGN_VERIFY), and your right to kms:Sign (for a request: kms:GetPublicKey).",
    )

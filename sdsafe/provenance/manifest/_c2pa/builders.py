"""Signing with the library. What it embeds is held against the signer's own certificate before it goes anywhere."""

from __future__ import annotations

import io
import json
import logging
import os
from typing import TYPE_CHECKING

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe.errors import ManifestError, SigningError
from sdsafe.provenance.manifest import jumbf
from sdsafe.provenance.manifest._c2pa.asking import Asking
from sdsafe.provenance.manifest._c2pa.contexts import context, message, stamping_context
from sdsafe.provenance.manifest._c2pa.relay import relaying
from sdsafe.provenance.manifest.document import Ingredient
from sdsafe.provenance.manifest.signature import SignatureUnreadable, read_claim_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.states import Asset
    from sdsafe.protocols import Signer, TimeStamper
    from sdsafe.provenance.manifest.document import ManifestDefinition

__all__ = ["pem_chain", "sign", "update"]

_log = logging.getLogger(__name__)

_ALGORITHMS = {name.lower(): value for name, value in c2pa.C2paSigningAlg.__members__.items()}


def sign(
    asset: Asset,
    definition: ManifestDefinition,
    signer: Signer,
    stamper: TimeStamper | None = None,
    *,
    beside: bool = False,
) -> tuple[bytes, bytes]:
    """Embed a signed manifest and return (file bytes, manifest store).

    With ``beside`` the file stays as it is, and every byte of it is covered by the manifest's hash.

    Whatever signer and time-stamper raise comes out as it is; the library would turn it into "COSE signature invalid".
    Without an answer from a time-stamper that is not required, the manifest is signed without a time-stamp.

    Raises:
        ManifestError: ``manifest.sign``: the library refused the definition or the asset.
        SigningError: ``signing.unsupported``: an algorithm that C2PA does not name. ``signing.mismatch``: what the
            signer answered does not verify with its own certificate. Or the signer's own.
    """
    if stamper is None:
        return _signed(asset, definition, signer, None, beside=beside)
    with relaying(stamper.stamp) as relay:
        try:
            return _signed(asset, definition, signer, relay.address, beside=beside)
        except ManifestError:
            fault = relay.faults[0] if relay.faults else None
            if fault is None:
                raise
            if stamper.required or not isinstance(fault, SigningError):
                raise fault from None
            _log.warning("signed without a time-stamp: %s", fault)
    return _signed(asset, definition, signer, None, beside=beside)


def update(asset: Asset, definition: ManifestDefinition, signer: Signer, stamper: TimeStamper) -> tuple[bytes, bytes]:
    """Embed an update manifest with time-stamps over the manifests of an asset, and return (file bytes, store).

    An update manifest (C2PA 2.4, 11.2.3) has no hard binding of its own: that of the manifest before goes on to count.
    Every claim of the store that has no time-stamp yet gets one (``c2pa.time-stamp``), and so does the new one.

    Raises:
        ManifestError, SigningError: As ``sign``; without an authority that grants, nothing is signed.
    """
    with relaying(stamper.stamp) as relay:
        try:
            return _signed(asset, definition, signer, relay.address, beside=False, updates=True)
        except ManifestError:
            if relay.faults:
                raise relay.faults[0] from None
            raise


def _signed(  # noqa: PLR0913 - what, by whom, when, and where to
    asset: Asset,
    definition: ManifestDefinition,
    signer: Signer,
    time_authority: str | None,
    *,
    beside: bool,
    updates: bool = False,
) -> tuple[bytes, bytes]:
    asking = Asking(signer)
    result = io.BytesIO()
    alg, chain = _algorithm(signer.alg), pem_chain(signer.certificate_chain)
    try:
        with (
            c2pa.Signer.from_callback(asking, alg, chain, time_authority) as native,
            c2pa.Builder(
                _without_ingredients(definition),
                stamping_context(time_authority) if updates and time_authority else context(os.getpid(), ()),
            ) as builder,
        ):
            if updates:
                builder.set_intent(c2pa.C2paBuilderIntent.UPDATE)
            if beside:
                builder.set_no_embed()
            for identifier, content in definition.resources.items():
                builder.add_resource(identifier, io.BytesIO(content))
            for each in _ingredients(definition):
                builder.add_ingredient(json.dumps(dict(each.description)), each.media_type, io.BytesIO(each.data))
            store: bytes = builder.sign(native, asset.media_type, io.BytesIO(asset.data), result)
    except c2pa.C2paError as error:
        if asking.faults:
            raise asking.faults[0] from None
        raise ManifestError(
            f"the manifest could not be signed: {message(error)}",
            code="manifest.sign",
            hint="`sdsafe keys check` names what is wrong with a credential.",
        ) from error
    if asking.faults:
        raise asking.faults[0]
    _check_signature(store)
    return asset.data if beside else result.getvalue(), store


def _without_ingredients(definition: ManifestDefinition) -> str:
    """Return the document for a builder: where files went in, all ingredients are added in order afterwards."""
    if not definition.ingredients:
        return definition.to_json()
    rest = {name: value for name, value in definition.document.items() if name != "ingredients"}
    return json.dumps(rest, ensure_ascii=False, allow_nan=False)


def _ingredients(definition: ManifestDefinition) -> Iterator[Ingredient]:
    """Yield files first: some readers look at the first ingredient only, and ask where it comes from."""
    described = definition.document.get("ingredients")
    if definition.ingredients and isinstance(described, list):
        yield from definition.ingredients
        for each in described:
            yield Ingredient(description=each, media_type=str(each["format"]), data=b"")


def _check_signature(store: bytes) -> None:
    """Verify what was embedded, as every reader will: the library embeds anything (measured)."""
    try:
        holds = read_claim_signature(store, jumbf.parse(store).children[-1].label).holds
    except (SignatureUnreadable, jumbf.JumbfError) as error:
        raise ManifestError(f"what was signed cannot be read: {error}", code="manifest.sign") from error
    if not holds:
        raise ManifestError(
            "the signature does not verify with the signer's own certificate",
            code="manifest.sign",
            hint="Key and certificate do not belong together, or the signer answered something else.",
        )


def _algorithm(name: str) -> c2pa.C2paSigningAlg:
    try:
        return _ALGORITHMS[name]
    except KeyError:
        raise SigningError(
            f"the signer's algorithm {name!r} is not one that C2PA names",
            code="signing.unsupported",
            hint=f"Known: {', '.join(sorted(_ALGORITHMS))}.",
        ) from None


def pem_chain(chain: tuple[bytes, ...]) -> str:
    """Return DER certificates as one PEM text, in their order."""
    try:
        return "".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode("ascii") for der in chain)
    except ValueError as error:
        raise SigningError(
            "the signer's chain holds something that is no certificate", code="signing.unreadable"
        ) from error

"""The one door to the C2PA library: sign, read, and nothing foreign beyond it.

What the library does by default and is switched off here, with the reason:

- thumbnails: 50 ms and 150 KB an image, and they show the whole picture;
- verifying after signing: the pipeline reads back from the final bytes anyway;
- fetching remote manifests: an untrusted file would choose which address we call;
- its own list of extended key usages: it does not know the one that C2PA's authorities use.

It is never given trust lists for signers: it does not enforce their kind. ``provenance.trust`` decides.
Contexts do not survive a fork, so each process makes its own, when it first needs one.
"""

from __future__ import annotations

import io
import json
import logging
import os
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sdsafe._internal.certificates import SIGNER_USAGES
from sdsafe.core.findings import Severity
from sdsafe.errors import ConfigurationError, ManifestError, SigningError
from sdsafe.provenance.manifest import jumbf
from sdsafe.provenance.manifest._asking import Asking
from sdsafe.provenance.manifest._relay import relaying
from sdsafe.provenance.manifest.document import Ingredient
from sdsafe.provenance.manifest.reading import Reading, StatusCode
from sdsafe.provenance.manifest.signature import SignatureUnreadable, read_claim_signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sdsafe.core.states import Asset
    from sdsafe.protocols import Signer, TimeStamper
    from sdsafe.provenance.manifest.document import ManifestDefinition

__all__ = ["STORE_TYPE", "library_version", "read", "read_crjson", "read_store", "sign", "update"]

STORE_TYPE = "application/c2pa"
"""Media type of a manifest store without its asset."""

_log = logging.getLogger(__name__)

_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_ALGORITHMS = {name.lower(): value for name, value in c2pa.C2paSigningAlg.__members__.items()}
_MAX_MESSAGE = 200


def library_version() -> str:
    """Return name and version of the library behind this door."""
    return f"c2pa-rs/{c2pa.sdk_version()}"


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
    alg, chain = _algorithm(signer.alg), _pem(signer.certificate_chain)
    try:
        with (
            c2pa.Signer.from_callback(asking, alg, chain, time_authority) as native,
            c2pa.Builder(
                _without_ingredients(definition),
                _stamping(time_authority) if updates and time_authority else _context(os.getpid(), ()),
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
            f"the manifest could not be signed: {_message(error)}",
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


def read(asset: Asset, *, time_anchors: tuple[bytes, ...] = ()) -> Reading:
    """Read the manifest store in an asset. Never raises on what the asset holds.

    Args:
        asset: File bytes with their media type; a store beside them counts where there is none in them.
        time_anchors: PEM roots that are trusted for time-stamps, and for nothing else.

    Returns:
        ``present=False`` when there is none. Anything that stands in the way of reading one is a failure code
        ``manifest.unreadable.*``, never "no manifest".
    """
    reading = _read(asset.media_type, asset.data, time_anchors)
    if asset.sidecar is None:
        return reading
    if reading.present:
        note = "sidecar: not looked at, because a manifest is in the file"
        return replace(reading, not_checked=(*reading.not_checked, note))
    return replace(_read(asset.media_type, asset.data, time_anchors, asset.sidecar), beside=True)


def read_store(store: bytes, *, time_anchors: tuple[bytes, ...] = ()) -> Reading:
    """Read a manifest store without its asset, as a repository keeps it.

    Its hard binding cannot be checked: ``labels.HARD_BINDING_MISMATCHES`` are among the failures, whatever the
    store says. See ``probe.RecoveryProbe`` for which failures it forgives.
    """
    return _read(STORE_TYPE, store, time_anchors)


def read_crjson(asset: Asset) -> dict[str, Any]:
    """Return what the library writes down of all manifests of an asset (crJSON); empty where it cannot.

    Its results are those of a validator without any list; see ``crjson``.
    """
    for beside in dict.fromkeys((None, asset.sidecar)):
        try:
            with c2pa.Reader(
                asset.media_type, io.BytesIO(asset.data), beside, context=_context(os.getpid(), ())
            ) as reader:
                document: dict[str, Any] = json.loads(reader.crjson())
                return document
        except (c2pa.C2paError, ValueError, RecursionError):
            continue
    return {}


@lru_cache(maxsize=8)
def _context(_process: int, time_anchors: tuple[bytes, ...]) -> c2pa.Context:
    """Return this process's context for a set of time-stamp anchors."""
    usages = [usage.dotted_string for usage in SIGNER_USAGES]
    trust: dict[str, object] = {"trust_config": "\n".join((*usages, _TIME_STAMPING) if time_anchors else usages)}
    if time_anchors:
        pem = b"\n".join(time_anchors).decode("utf-8", errors="replace")
        trust["anchors"] = [{"trust_anchors": pem, "trust_uri": "urn:sdsafe:tsa", "trust_kind": "tsa"}]
    return _made({"trust": trust})


def _stamping(time_authority: str) -> c2pa.Context:
    """Return a context that has time-stamps fetched for manifests that have none, and may ask one address."""
    usages = [usage.dotted_string for usage in SIGNER_USAGES]
    every = {"enabled": True, "skip_existing": True, "fetch_scope": "all"}
    return _made(
        {"trust": {"trust_config": "\n".join((*usages, _TIME_STAMPING))}},
        builder={"auto_timestamp_assertion": every},
        core={"allowed_network_hosts": [urlsplit(time_authority).netloc]},
    )


def _made(
    settings: Mapping[str, object],
    *,
    builder: Mapping[str, object] = MappingProxyType({}),
    core: Mapping[str, object] = MappingProxyType({}),
) -> c2pa.Context:
    largest = {"max_decompressed_manifest_size_in_mb": jumbf.MAX_STORE_BYTES >> 20}
    settings = {
        **settings,
        "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}, **builder},
        "core": {"allowed_network_hosts": [], **largest, **core},
    }
    try:
        return c2pa.Context.from_dict(dict(settings))
    except c2pa.C2paError as error:
        raise ConfigurationError(
            f"the C2PA library refuses its settings: {_message(error)}",
            code="manifest.settings",
            hint="Check the trust list for time-stamps.",
        ) from error


def _read(media_type: str, data: bytes, time_anchors: tuple[bytes, ...], beside: bytes | None = None) -> Reading:
    context = _context(os.getpid(), time_anchors)
    try:
        with c2pa.Reader(media_type, io.BytesIO(data), beside, context=context) as reader:
            return _interpreted(reader, time_anchors)
    except c2pa.C2paError.ManifestNotFound:
        return Reading(present=False)
    except c2pa.C2paError as error:
        return _unread(error)
    except (ValueError, RecursionError) as error:
        # JSON that Python cannot parse: nested too deeply, or an integer with too many digits.
        return _failed("json", f"the report on the manifest cannot be parsed: {type(error).__name__}")


def _unread(error: c2pa.C2paError) -> Reading:
    message = _message(error)
    if isinstance(error, c2pa.C2paError.RemoteManifest) or "must fetch remote manifests" in str(error):
        note = "manifest: the file names one on the network; nothing is fetched unless told to"
        code = StatusCode(code="manifest.inaccessible", severity=Severity.INFORMATIONAL, explanation=note)
        return Reading(present=False, codes=(code,), not_checked=(note,))
    if isinstance(error, c2pa.C2paError.NotSupported):
        return Reading(
            present=False, not_checked=(f"manifest: this format is not one the C2PA library reads ({message})",)
        )
    return _failed(type(error).__name__.removeprefix("_C2pa").lower() or "other", message)


def _failed(kind: str, message: str) -> Reading:
    code = StatusCode(code=f"manifest.unreadable.{kind}", severity=Severity.FAILURE, explanation=message)
    return Reading(codes=(code,))


def _interpreted(reader: c2pa.Reader, time_anchors: tuple[bytes, ...]) -> Reading:
    report = json.loads(reader.json())
    label = report.get("active_manifest")
    if not isinstance(label, str):
        return _failed("claim", "the manifest store has no active manifest")
    # crJSON, because the other report shows arrays of integers wrongly (c2pa-rs issue 2570).
    manifests = json.loads(reader.crjson())["manifests"]
    manifest: dict[str, Any] = next((each for each in manifests if each.get("label") == label), {})
    store = io.BytesIO()
    reader.resource_to_stream(f"self#jumbf=/c2pa/{label}", store)  # measured: the URI of a manifest gives the store
    reading = Reading(
        library_state=str(report.get("validation_state") or ""),
        codes=tuple(_codes(report.get("validation_results") or {})),
        label=label,
        manifest=manifest,
        before=_before(manifests, manifest),
        store=store.getvalue(),
    )
    proven, stamped = _proven_time(reading, time_anchors), _stamped_at(reading)
    return _with_signature(replace(reading, signature_time=proven, stamped_at=stamped))


def _codes(results: Mapping[str, Any]) -> Iterator[StatusCode]:
    yield from _code_lists(results.get("activeManifest") or {}, ingredient=False)
    for delta in results.get("ingredientDeltas") or ():
        yield from _code_lists(delta.get("validationDeltas") or {}, ingredient=True)


def _code_lists(lists: Mapping[str, Any], *, ingredient: bool) -> Iterator[StatusCode]:
    for severity in Severity:
        for entry in lists.get(severity.value) or ():
            yield StatusCode(
                code=str(entry.get("code")),
                severity=severity,
                explanation=str(entry.get("explanation") or "")[:_MAX_MESSAGE],
                url=str(entry.get("url") or ""),
                ingredient=ingredient,
            )


def _with_signature(reading: Reading) -> Reading:
    """Add algorithm and certificates from our own reading of the signature; a contradiction is a failure."""
    try:
        signature = read_claim_signature(reading.store, reading.label)
    except SignatureUnreadable as error:
        note = f"claim signature: not checked a second time, so nobody can be trusted for it: {error}"
        return replace(reading, not_checked=(*reading.not_checked, note))
    found = replace(reading, alg=signature.alg, certificate_chain=signature.chain, stapled=signature.stapled)
    if found.before is not None:
        found = replace(found, same_signer=_same_signer(found))
    if found.before is not None and not found.same_signer:
        note = "manifest: updated by somebody else than signed the one before, whose statements are not shown"
        found = replace(found, not_checked=(*found.not_checked, note))
    if signature.holds:
        return found
    mismatch = StatusCode(
        code="claimSignature.mismatch",
        severity=Severity.FAILURE,
        explanation="the claim signature does not verify with the certificate in it",
    )
    return found if "claimSignature.mismatch" in found.failures else replace(found, codes=(*found.codes, mismatch))


def _before(manifests: Sequence[Mapping[str, Any]], active: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first manifest that is no update, following the parents of one that is; None: the active one is none."""
    manifest: Mapping[str, Any] | None = active
    for _ in manifests:
        if manifest is None or not manifest.get("isUpdateManifest"):
            break
        assertions = manifest.get("assertions")
        bodies = (
            [each for each in assertions.values() if isinstance(each, dict)] if isinstance(assertions, dict) else []
        )
        parent = next((each for each in bodies if each.get("relationship") == "parentOf"), {}).get("activeManifest")
        label = str(parent.get("url")).rpartition("/")[2] if isinstance(parent, dict) else ""
        manifest = next((each for each in manifests if each.get("label") == label), None)
    return None if manifest is active else manifest


def _same_signer(reading: Reading) -> bool:
    """Say whether the manifest before has a signature that holds, of the very certificate that signed the update."""
    try:
        signature = read_claim_signature(reading.store, str((reading.before or {}).get("label")))
    except SignatureUnreadable:
        return False
    return signature.holds and signature.chain[0] == reading.certificate_chain[0]


def _proven_time(reading: Reading, time_anchors: tuple[bytes, ...]) -> str | None:
    """Return the time of signing if an authority on the auditor's own list vouches for it.

    Only for claims of version 2: with version 1 the library calls every time-stamp trusted (measured with 0.91.3),
    so that anybody could date a claim back.
    """
    if not time_anchors or not _passed(reading, "timeStamp.trusted") or "claim.v2" not in reading.manifest:
        return None
    return _stamped_at(reading)


def _stamped_at(reading: Reading) -> str | None:
    """Return the time of a time-stamp over this claim that holds, whoever made it."""
    if not _passed(reading, "timeStamp.validated"):
        return None
    signature = reading.manifest.get("signature")
    stamp = signature.get("timeStampInfo") if isinstance(signature, dict) else None
    time = stamp.get("timestamp") if isinstance(stamp, dict) else None
    return time if isinstance(time, str) else None


def _passed(reading: Reading, code: str) -> bool:
    return any(each.code == code and not each.ingredient for each in reading.codes)


def _algorithm(name: str) -> c2pa.C2paSigningAlg:
    try:
        return _ALGORITHMS[name]
    except KeyError:
        raise SigningError(
            f"the signer's algorithm {name!r} is not one that C2PA names",
            code="signing.unsupported",
            hint=f"Known: {', '.join(sorted(_ALGORITHMS))}.",
        ) from None


def _pem(chain: tuple[bytes, ...]) -> str:
    try:
        return "".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode("ascii") for der in chain)
    except ValueError as error:
        raise SigningError(
            "the signer's chain holds something that is no certificate", code="signing.unreadable"
        ) from error


def _message(error: c2pa.C2paError) -> str:
    """Return what the library says, cut short: its texts may repeat parts of a hostile file."""
    return " ".join(str(error).split())[:_MAX_MESSAGE]

"""The way out of a cleared picture or sound: mark, encode, sign, record, deliver."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sdsafe import release
from sdsafe._internal import images, wav
from sdsafe._internal.clock import rfc3339
from sdsafe._internal.versions import version
from sdsafe.core.receipts import EntryKind
from sdsafe.core.request import Task
from sdsafe.core.softbinding import BindingKind, SoftBinding
from sdsafe.core.states import Asset, Encoded, Marked, Recorded, Signed, without_pixels
from sdsafe.errors import AssetError, ObligationError, SdsafeError, WatermarkError
from sdsafe.obligations.discharging import undone
from sdsafe.protocols import Demanding
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.definition import define
from sdsafe.provenance.manifest.dossier import dossier
from sdsafe.provenance.manifest.envelope import with_sealed_prompt
from sdsafe.recovery import settle, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.states import Cleared
    from sdsafe.parts import Parts
    from sdsafe.provenance.manifest.document import ManifestDefinition

__all__ = ["deliver", "encode", "mark", "record", "sign"]

_MAX_LOSS = 24.0
"""Mean difference of 8-bit levels beyond which a lossy file is another picture (JPEG at quality 1: 10 to 20)."""

_log = logging.getLogger(__name__)


def mark(parts: Parts, cleared: Cleared) -> Marked:
    """Write the asset id into a cleared picture; what goes on without says so from then on.

    Raises:
        WatermarkError: The picture cannot carry it.
    """
    if cleared.generated.sound is not None or not cleared.generated.admitted.request.marked:
        return Marked(cleared=cleared, pixels=cleared.pixels, watermark=None, watermark_version="")
    watermarker, asset_id = parts.watermarker, cleared.generated.asset_id
    (pixels,) = watermarker.embed([cleared.pixels], [asset_id.value])
    if pixels.shape != cleared.pixels.shape:
        raise WatermarkError("the watermarker changed the size of the image")
    binding = SoftBinding(alg=watermarker.alg, value=asset_id.value, kind=BindingKind.WATERMARK)
    return Marked(cleared=cleared, pixels=pixels, watermark=binding, watermark_version=watermarker.version)


def encode(parts: Parts, marked: Marked) -> Encoded:
    """Write the file, read the mark back from it, and take its fingerprints.

    Raises:
        AssetError: The file does not decode to the marked pixels, or the samples.
        WatermarkError: The mark does not read back.
    """
    written = marked.watermark
    request = marked.cleared.generated.admitted.request
    media_type = request.media_type
    if written is None and (marked.cleared.generated.sound is not None or request.task is not Task.SIGN):
        return _encode_sound(parts, marked)
    data = release.as_it_was(marked) or release.encode(marked, media_type, parts.house, parts.licences)
    pixels = images.decode(data)
    _require_same(pixels, marked.pixels, lossless=media_type in images.LOSSLESS)
    marked = replace(marked, pixels=pixels)  # from here on the picture is what a stranger decodes
    readback = None
    if written is not None:
        (readback,) = parts.watermarker.detect([pixels])
    if written is not None and readback is not None and readback.payload != written.value:
        raise WatermarkError(
            "the watermark does not read back from the encoded file; nothing was released",
            code="watermark.readback",
            hint="Try another seed, a larger size or a higher quality; flat pictures carry little.",
        )
    fingerprints = tuple(
        SoftBinding(alg=each.alg, value=each.compute(pixels), kind=BindingKind.FINGERPRINT)
        for each in parts.fingerprinters
    )
    name = f"{marked.cleared.generated.asset_id}.{media_type.removeprefix('image/')}"
    asset = Asset(data=data, media_type=media_type, name=name)
    encoded = Encoded(marked=marked, asset=asset, readback=readback, fingerprints=fingerprints)
    shown = release.discharged(encoded, asset, parts.house, parts.licences)
    return replace(encoded, discharges=shown)


def _require_same(found: Pixels, wanted: Pixels, *, lossless: bool) -> None:
    """Make sure that a file shows the picture that was written: exactly, or as closely as its quality allows."""
    if found.shape == wanted.shape:
        if lossless and np.array_equal(found, wanted):
            return
        if not lossless and np.abs(found.astype(np.int16) - wanted).mean() <= _MAX_LOSS:
            return
    raise AssetError(
        "the encoded file does not decode to the marked pixels",
        code="asset.readback",
        hint="" if lossless else "Use a higher quality.",
    )


def _encode_sound(parts: Parts, marked: Marked) -> Encoded:
    """Write the WAV file of a sound and read it back; there is neither mark nor fingerprint."""
    generated = marked.cleared.generated
    if generated.sound is None:
        raise WatermarkError("a picture that carries no mark does not leave", code="watermark.missing")
    data = wav.encode(generated.sound)
    if wav.decode(data).sha256 != generated.sound.sha256:
        raise AssetError("the encoded file does not decode to the samples", code="asset.readback")
    asset = Asset(data=data, media_type=wav.MEDIA_TYPE, name=f"{generated.asset_id}.wav")
    encoded = Encoded(marked=marked, asset=asset, readback=None, fingerprints=())
    return replace(encoded, discharges=release.discharged(encoded, asset, parts.house, parts.licences))


def sign(parts: Parts, encoded: Encoded) -> Signed:
    """Sign the file, read it back as a stranger would, and make sure that every obligation is met.

    Raises:
        SigningError: The signer did not sign.
        ManifestError: The signed file does not read back as valid.
        ObligationError: It does not show what policy demands.
        ConfigurationError: The prompt is to be sealed, and there is nobody to seal it for.
    """
    cleared = encoded.marked.cleared
    shown = with_sealed_prompt(release.public_file(encoded, parts.licences), parts.recipient)
    definition = define(shown, generator="sdsafe", version=version("sdsafe"), when=rfc3339(), title=encoded.asset.name)
    beside = cleared.generated.admitted.request.sidecar
    data, store = _manifest(parts, shown, definition, beside=beside)
    asset = replace(encoded.asset, data=data, sidecar=store if beside else None)
    manifest = release.read_back(asset, encoded)
    discharges = release.discharged(encoded, asset, parts.house, parts.licences, manifest=manifest)
    if missing := undone(cleared.plan, discharges):
        msg = f"policy demands what the finished file does not show: {missing}"
        raise ObligationError(msg, decision=cleared.judgement, checks=cleared.checks)
    return Signed(
        encoded=encoded,
        asset=asset,
        manifest_store=store,
        manifest_label=manifest.label,
        discharges=discharges,
    )


def _manifest(parts: Parts, shown: Encoded, definition: ManifestDefinition, *, beside: bool) -> tuple[bytes, bytes]:
    """Sign here, or have a signer do it that wants to see decisions and receipts first."""
    if isinstance(parts.signer, Demanding):
        return parts.signer.sign_shown(dossier(shown, definition, beside=beside), parts.stamper)
    return _c2pa.sign(shown.asset, definition, parts.signer, parts.stamper, beside=beside)


def record(parts: Parts, signed: Signed) -> Recorded:
    """Keep manifest and record, and append the release to the ledger.

    Raises:
        RepositoryError: Nothing was recorded.
        LedgerError: The record was taken back.
    """
    asset_id = signed.encoded.marked.cleared.generated.asset_id
    record_sha256 = parts.repository.put(signed)
    try:
        receipt = parts.ledger.append(release.entry(EntryKind.RELEASED, signed, record_sha256))
    except Exception:
        with _unfinished("take back the record of an asset"):
            settle(asset_id, parts.ledger, parts.repository)
        raise
    return Recorded(signed=without_pixels(signed), receipt=receipt)


def deliver(parts: Parts, recorded: Recorded, to: Callable[[Recorded], None] | None) -> Recorded:
    """Hand a recorded asset to its caller; what cannot be handed over is withdrawn.

    Args:
        parts: Of the pipeline.
        recorded: The asset.
        to: What takes it; what it raises is passed on.
    """
    if to is not None:
        try:
            to(recorded)
        except BaseException:
            with _unfinished("withdraw an asset"):
                withdraw(recorded.asset_id, recorded.receipt.entry, parts.ledger, parts.repository)
            raise
    parts.repository.mark_delivered(recorded.asset_id)
    return recorded


@contextmanager
def _unfinished(what: str) -> Iterator[None]:
    """Let the error under way be the one that is told; the next start finishes what cannot be done now."""
    try:
        yield
    except SdsafeError as error:
        _log.warning("could not %s (%s); the next start will", what, error.code)

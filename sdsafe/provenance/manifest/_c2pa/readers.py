"""Reading manifest stores with the library. Nothing that a file holds makes it raise."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import c2pa

from sdsafe.core.findings import Severity
from sdsafe.provenance.manifest._c2pa.contexts import context, message
from sdsafe.provenance.manifest._interpreting import failed, interpreted
from sdsafe.provenance.manifest.reading import Reading, StatusCode

if TYPE_CHECKING:
    from sdsafe.core.states import Asset

__all__ = ["STORE_TYPE", "read", "read_crjson", "read_store"]

STORE_TYPE = "application/c2pa"
"""Media type of a manifest store without its asset."""


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
                asset.media_type, io.BytesIO(asset.data), beside, context=context(os.getpid(), ())
            ) as reader:
                document: dict[str, Any] = json.loads(reader.crjson())
                return document
        except (c2pa.C2paError, ValueError, RecursionError):
            continue
    return {}


def _read(media_type: str, data: bytes, time_anchors: tuple[bytes, ...], beside: bytes | None = None) -> Reading:
    try:
        with c2pa.Reader(media_type, io.BytesIO(data), beside, context=context(os.getpid(), time_anchors)) as reader:
            return _reported(reader, time_anchors)
    except c2pa.C2paError.ManifestNotFound:
        return Reading(present=False)
    except c2pa.C2paError as error:
        return _unread(error)
    except (ValueError, RecursionError) as error:
        # JSON that Python cannot parse: nested too deeply, or an integer with too many digits.
        return failed("json", f"the report on the manifest cannot be parsed: {type(error).__name__}")


def _reported(reader: c2pa.Reader, time_anchors: tuple[bytes, ...]) -> Reading:
    report = json.loads(reader.json())
    label = report.get("active_manifest")
    if not isinstance(label, str):
        return failed("claim", "the manifest store has no active manifest")
    # crJSON, because the other report shows arrays of integers wrongly (c2pa-rs issue 2570).
    manifests = json.loads(reader.crjson())["manifests"]
    store = io.BytesIO()
    reader.resource_to_stream(f"self#jumbf=/c2pa/{label}", store)  # measured: the URI of a manifest gives the store
    return interpreted(report, manifests, store.getvalue(), time_anchors)


def _unread(error: c2pa.C2paError) -> Reading:
    text = message(error)
    if isinstance(error, c2pa.C2paError.RemoteManifest) or "must fetch remote manifests" in str(error):
        note = "manifest: the file names one on the network; nothing is fetched unless told to"
        code = StatusCode(code="manifest.inaccessible", severity=Severity.INFORMATIONAL, explanation=note)
        return Reading(present=False, codes=(code,), not_checked=(note,))
    if isinstance(error, c2pa.C2paError.NotSupported):
        return Reading(
            present=False, not_checked=(f"manifest: this format is not one the C2PA library reads ({text})",)
        )
    return failed(type(error).__name__.removeprefix("_C2pa").lower() or "other", text)

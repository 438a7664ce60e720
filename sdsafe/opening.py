"""Opening a commitment: the document with which a prompt that a manifest commits to is shown to one auditor.

The manifest holds a salted digest of the prompt. Whoever has the private record can write a document with salt and
texts; whoever has the document and the signed file can repeat the digest, with any tool. Where the prompt was sealed
for an auditor, the auditor's key writes the same document, and no record is needed.
"""

from __future__ import annotations

import binascii
import hmac
import json
from typing import TYPE_CHECKING, Any

from sdsafe.core.disclosure import COMMITMENT_ALGORITHM, commitment
from sdsafe.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.report import ManifestSummary
    from sdsafe.provenance.manifest.envelope import Opener
    from sdsafe.records.repository.record import PrivateRecord

__all__ = ["SCHEMA", "check", "opened", "unsealed"]

SCHEMA = "sdsafe.disclosure/1"

_LEAST_SALT = 16


def opened(summary: ManifestSummary, record: PrivateRecord) -> dict[str, object]:
    """Return the document that opens the commitment of a manifest.

    Raises:
        ConfigurationError: ``disclosure.none``: the manifest commits to nothing. ``disclosure.mismatch``: the record is
            not that of this manifest.
    """
    stated = _committed(summary)
    if not hmac.compare_digest(commitment(record.texts, record.salt), stated):
        raise ConfigurationError(
            "the private record does not open the commitment in this file",
            code="disclosure.mismatch",
            hint="The record belongs to another release of the same asset, or was changed.",
        )
    return _document(summary, stated, record.salt, record.texts)


def unsealed(summary: ManifestSummary, opener: Opener) -> dict[str, object]:
    """Return the document that opens the commitment of a manifest whose prompt was sealed for the opener's key.

    Raises:
        ConfigurationError: ``disclosure.none``; ``disclosure.not-sealed``: nothing is sealed in this manifest;
            ``disclosure.mismatch``: what was sealed is not what the manifest commits to; or what ``unseal`` raises.
    """
    from sdsafe.provenance.manifest.envelope import unseal

    stated, prompt = _committed(summary), summary.generation.get("prompt")
    envelope = prompt.get("envelope") if isinstance(prompt, dict) else None
    if not isinstance(envelope, dict) or summary.asset_id is None:
        raise ConfigurationError(
            "the prompt of this file was not sealed for anybody",
            code="disclosure.not-sealed",
            hint="Only files made with --prompt-disclosure encrypted open with a key; ask for an opened document.",
        )
    texts, salt = unseal(envelope, opener, asset_id=summary.asset_id, commitment=stated)
    if len(salt) < _LEAST_SALT or not hmac.compare_digest(commitment(texts, salt), stated):
        raise ConfigurationError(
            "what was sealed is not what the manifest commits to",
            code="disclosure.mismatch",
            hint="Whoever made the file sealed other words than it commits to: hold that against them.",
        )
    return _document(summary, stated, salt, texts)


def _document(summary: ManifestSummary, stated: str, salt: bytes, texts: Mapping[str, str]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "asset_id": summary.asset_id,
        "manifest": summary.label,
        "algorithm": COMMITMENT_ALGORITHM,
        "commitment": stated,
        "salt": salt.hex(),
        "texts": dict(texts),
    }


def check(document: bytes, summary: ManifestSummary) -> Mapping[str, str]:
    """Return the texts of a document if they are what the manifest commits to.

    Args:
        document: As ``opened`` wrote it.
        summary: Of a manifest that was found intact.

    Raises:
        ConfigurationError: ``disclosure.none``, ``disclosure.format``, or ``disclosure.mismatch``: it opens something
            else.
    """
    stated = _committed(summary)
    texts, salt = _read(document)
    try:
        found = commitment(texts, salt)
    except ValueError as error:
        raise _malformed(str(error)) from None
    if not hmac.compare_digest(found, stated):
        raise ConfigurationError(
            "these texts are not what the manifest commits to",
            code="disclosure.mismatch",
            hint="Ask for the document of this very file.",
        )
    return texts


def _committed(summary: ManifestSummary) -> str:
    prompt = summary.generation.get("prompt")
    stated = prompt.get("commitment") if isinstance(prompt, dict) else None
    if not isinstance(stated, str):
        raise ConfigurationError(
            "the manifest commits to no prompt",
            code="disclosure.none",
            hint="Only files made with commit or encrypted can be opened; full ones show it, omit says nothing.",
        )
    return stated


def _read(document: bytes) -> tuple[dict[str, str], bytes]:
    try:
        found: Any = json.loads(document)
        texts, salt = found["texts"], bytes.fromhex(found["salt"])
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise _malformed("it is no JSON object with salt and texts") from None
    if found.get("schema") != SCHEMA:
        raise _malformed(f"its schema is not {SCHEMA}")
    if not isinstance(texts, dict) or not all(isinstance(each, str) for each in texts.values()):
        raise _malformed("its texts are not an object of texts")
    return texts, salt


def _malformed(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the document cannot be read: {why}", code="disclosure.format", hint="`sdsafe disclose FILE` writes one."
    )

"""The vocabulary of C2PA 2.4, as far as conformance asks for it: labels, actions, parameters and status codes.

From https://spec.c2pa.org/specifications/specifications/2.4/, sections 6, 15.2, 18.15 and appendix C.
"""

from __future__ import annotations

__all__ = [
    "ACTIONS",
    "ASSERTIONS",
    "DEPRECATED_ACTIONS",
    "DEPRECATED_ASSERTIONS",
    "NEEDS_NO_SOURCE",
    "PARAMETERS",
    "STRUCTURE_FAILURES",
    "VALIDITY_FAILURES",
]

ASSERTIONS = frozenset(
    {
        "c2pa.actions.v2",
        "c2pa.ai-disclosure",
        "c2pa.alternative-content-representation",
        "c2pa.assertion.metadata",
        "c2pa.asset-ref",
        "c2pa.asset-type.v2",
        "c2pa.certificate-status",
        "c2pa.cloud-data",
        "c2pa.depthmap.GDepth",
        "c2pa.embedded-data",
        "c2pa.environmental-sustainability",
        "c2pa.external-reference",
        "c2pa.hash.bmff.v3",
        "c2pa.hash.boxes",
        "c2pa.hash.collection.data",
        "c2pa.hash.data",
        "c2pa.hash.data.part",
        "c2pa.hash.multi-asset",
        "c2pa.icon",
        "c2pa.ingredient.v3",
        "c2pa.metadata",
        "c2pa.repository-receipt",
        "c2pa.session-keys",
        "c2pa.soft-binding",
        "c2pa.thumbnail.claim",
        "c2pa.thumbnail.ingredient",
        "c2pa.time-stamp",
        "font.info",
    }
)
"""Labels of standard assertions (section 18)."""

DEPRECATED_ASSERTIONS = frozenset(
    {
        "c2pa.actions",
        "c2pa.asset-type",
        "c2pa.claim",
        "c2pa.hash.bmff.v2",
        "c2pa.ingredient",
        "c2pa.ingredient.v2",
    }
)
"""Labels that must not be written any more (appendix C)."""

ACTIONS = frozenset(
    {
        "c2pa.addedText",
        "c2pa.adjustedColor",
        "c2pa.changedSpeed",
        "c2pa.color_adjustments",
        "c2pa.converted",
        "c2pa.created",
        "c2pa.cropped",
        "c2pa.deleted",
        "c2pa.drawing",
        "c2pa.dubbed",
        "c2pa.edited",
        "c2pa.edited.metadata",
        "c2pa.enhanced",
        "c2pa.filtered",
        "c2pa.mastered",
        "c2pa.mixed",
        "c2pa.opened",
        "c2pa.orientation",
        "c2pa.placed",
        "c2pa.published",
        "c2pa.redacted",
        "c2pa.remixed",
        "c2pa.removed",
        "c2pa.repackaged",
        "c2pa.resized",
        "c2pa.resized.proportional",
        "c2pa.transcoded",
        "c2pa.translated",
        "c2pa.trimmed",
        "c2pa.unknown",
        "c2pa.watermarked",
        "c2pa.watermarked.bound",
        "c2pa.watermarked.unbound",
    }
)
"""Standard actions (18.15.2)."""

DEPRECATED_ACTIONS = frozenset(
    {
        "c2pa.color_adjustments",
        "c2pa.copied",
        "c2pa.formatted",
        "c2pa.managed",
        "c2pa.printed",
        "c2pa.produced",
        "c2pa.saved",
        "c2pa.version_updated",
        "c2pa.watermarked",
    }
)
"""Actions that must not be written any more (18.15, appendix C)."""

NEEDS_NO_SOURCE = frozenset(
    {
        "c2pa.converted",
        "c2pa.created",
        "c2pa.edited.metadata",
        "c2pa.enhanced",
        "c2pa.opened",
        "c2pa.placed",
        "c2pa.published",
        "c2pa.redacted",
        "c2pa.repackaged",
        "c2pa.resized.proportional",
        "c2pa.transcoded",
        "c2pa.watermarked",
        "c2pa.watermarked.bound",
        "c2pa.watermarked.unbound",
    }
)
"""Actions that need no digital source type of their own: they begin, place, or change nothing that is seen."""

PARAMETERS = frozenset(
    {
        "description",
        "ingredient",
        "ingredients",
        "italic",
        "multipleInstances",
        "optical-size",
        "ranges",
        "redacted",
        "relatedAssertions",
        "slant",
        "sourceLanguage",
        "targetLanguage",
        "weight",
        "width",
    }
)
"""Parameters of actions that the specification defines (18.15.4)."""

STRUCTURE_FAILURES = frozenset(
    {
        "assertion.action.malformed",
        "assertion.alternativeContentRepresentation.malformed",
        "assertion.alternativeContentRepresentation.missing",
        "assertion.bmffHash.malformed",
        "assertion.boxesHash.malformed",
        "assertion.boxesHash.unknownBox",
        "assertion.cbor.invalid",
        "assertion.collectionHash.malformed",
        "assertion.dataHash.malformed",
        "assertion.external-reference.created",
        "assertion.external-reference.labelMismatch",
        "assertion.external-reference.malformed",
        "assertion.ingredient.malformed",
        "assertion.json.invalid",
        "assertion.multiAssetHash.malformed",
        "assertion.multipleHardBindings",
        "claim.cbor.invalid",
        "claim.hardBindings.missing",
        "claim.malformed",
        "claim.missing",
        "claim.multiple",
        "hashedURI.missing",
        "ingredient.manifest.missing",
        "manifest.compressed.invalid",
        "manifest.html.multipleManifests",
        "manifest.inaccessible",
        "manifest.multipleParents",
        "manifest.structuredText.emptyReference",
        "manifest.structuredText.malformedReference",
        "manifest.structuredText.multipleReferences",
        "manifest.structuredText.noManifest",
        "manifest.structuredText.noResolutionPath",
        "manifest.timestamp.invalid",
        "manifest.timestamp.wrongParents",
        "manifest.update.invalid",
        "manifest.update.wrongParents",
    }
)
"""Status codes (15.2) of a manifest that is not well-formed."""

VALIDITY_FAILURES = frozenset(
    {
        "assertion.action.ingredientMismatch",
        "assertion.action.redactionMismatch",
        "assertion.alternativeContentRepresentation.hashMismatch",
        "assertion.bmffHash.mismatch",
        "assertion.boxesHash.mismatch",
        "assertion.collectionHash.mismatch",
        "assertion.dataHash.mismatch",
        "assertion.external-reference.hashMismatch",
        "assertion.hardBinding.redacted",
        "assertion.hashedURI.mismatch",
        "assertion.multiAssetHash.mismatch",
        "claimSignature.missing",
        "hashedURI.mismatch",
        "ingredient.claimSignature.mismatch",
        "ingredient.claimSignature.missing",
        "ingredient.manifest.mismatch",
    }
)
"""Status codes (15.2) of a manifest that is well-formed and not valid."""

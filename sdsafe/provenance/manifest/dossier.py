"""From a manifest to be to what a demanding signer is shown, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.core.canonical import canonical_digest
from sdsafe.core.disclosure import prompt_commitment
from sdsafe.core.dossier import CheckReceipt, Dossier, GoneIn
from sdsafe.core.findings import Stage
from sdsafe.provenance.manifest.document import Ingredient, ManifestDefinition
from sdsafe.provenance.manifest.generation import generation_assertion

if TYPE_CHECKING:
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.states import Encoded

__all__ = ["definition_of", "dossier", "subject_of_inputs"]


def dossier(encoded: Encoded, definition: ManifestDefinition, *, beside: bool = False) -> Dossier:
    """Return what a signer is shown of an encoded asset.

    Args:
        encoded: As the manifest may show it.
        definition: What the manifest will say.
        beside: The manifest goes into a file of its own.
    """
    cleared = encoded.marked.cleared
    results = (*cleared.generated.admitted.checks, *cleared.checks)
    shown = generation_assertion(encoded)["checks"]
    entries = shown if isinstance(shown, list) else []
    return Dossier(
        asset=encoded.asset,
        document=definition.document,
        resources=definition.resources,
        ingredients=tuple(
            GoneIn(description=each.description, media_type=each.media_type, data=each.data)
            for each in definition.ingredients
        ),
        receipts=tuple(
            CheckReceipt(
                check=result.check,
                version=result.version,
                stage=result.stage,
                status=result.status,
                subject=_subject(encoded, result),
                shown=canonical_digest(entry),
                at=result.at,
            )
            for result, entry in zip(results, entries, strict=True)
        ),
        beside=beside,
    )


def definition_of(shown: Dossier) -> ManifestDefinition:
    """Return the manifest to be that a dossier holds.

    Raises:
        ManifestError: It holds what no manifest of ours may.
    """
    return ManifestDefinition(
        document=shown.document,
        resources=shown.resources,
        ingredients=tuple(
            Ingredient(description=each.description, media_type=each.media_type, data=each.data)
            for each in shown.ingredients
        ),
    )


def subject_of_inputs(digests: list[str]) -> str:
    """Return the subject of receipts for pictures that go in: all of them together, in the order of the request."""
    return canonical_digest(digests)


def _subject(encoded: Encoded, result: CheckResult) -> str:
    generated = encoded.marked.cleared.generated
    admitted = generated.admitted
    if result.stage is Stage.PROMPT:
        return prompt_commitment(admitted.request, admitted.opening.salt)
    if result.stage is Stage.INPUT:
        return subject_of_inputs([each.sha256 for each in admitted.request.inputs])
    return generated.pixels_sha256 if generated.sound is None else generated.sound.sha256

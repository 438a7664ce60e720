"""Names that C2PA or sdsafe give to things in a manifest, each with where it comes from.

Section numbers are those of C2PA 2.4, https://spec.c2pa.org/specifications/specifications/2.4/.
"""

from __future__ import annotations

__all__ = [
    "ACTIONS",
    "ACTION_CONVERTED",
    "ACTION_CREATED",
    "ACTION_EDITED",
    "ACTION_METADATA",
    "ACTION_OPENED",
    "ACTION_PLACED",
    "ACTION_REDACTED",
    "ACTION_RESIZED",
    "ACTION_WATERMARKED",
    "ACTION_WATERMARKED_BOUND",
    "AI_DISCLOSURE",
    "CAWG_METADATA",
    "GENERATION",
    "HARD_BINDING_MISMATCHES",
    "INGREDIENT",
    "PARAMETER_PREFIX",
    "SOFT_BINDING",
    "SOURCE_COMPOSITE",
    "SOURCE_ENHANCED",
    "SOURCE_TRAINED",
    "SPEC_VERSION",
    "TIME_STAMP",
    "TYPE_GENERATOR",
    "TYPE_MODEL",
    "TYPE_MODEL_ONNX",
    "TYPE_MODEL_PYTORCH",
    "TYPE_PROMPT",
    "UNTRUSTED",
]

SOFT_BINDING = "c2pa.soft-binding"
"""Section 18.10: a fingerprint or mark of a listed algorithm, by which the manifest is found again."""

SPEC_VERSION = "2.4.0"
"""``claim_generator_info.specVersion``; the conformance program 0.2 demands it."""

CAWG_METADATA = "cawg.metadata"
"""CAWG metadata 1.1: statements in JSON-LD; here those of somebody else, hence gathered."""

ACTIONS = "c2pa.actions.v2"
"""Section 18.15: what was done to the asset."""

AI_DISCLOSURE = "c2pa.ai-disclosure"
"""Section 18.28: which model, and how much people steered it."""

INGREDIENT = "c2pa.ingredient.v3"
"""Section 18.16: what went in."""

GENERATION = "org.sdsafe.generation"
"""Ours, documented in ``docs/spec``: everything needed to repeat and to judge a generation."""

PARAMETER_PREFIX = "org.sdsafe."
"""Parameters of an action that C2PA does not define must contain a dot (18.15.4)."""

ACTION_CONVERTED = "c2pa.converted"
"""18.15.2: another file format."""

ACTION_CREATED = "c2pa.created"
"""18.15.2: made from nothing; needs a digital source type."""

ACTION_EDITED = "c2pa.edited"
"""18.15.2: a change that may alter what the picture says."""

ACTION_OPENED = "c2pa.opened"
"""18.15.2: the first action on a picture that existed before; names its ``parentOf`` ingredient."""

ACTION_PLACED = "c2pa.placed"
"""18.15.2: an ingredient (``componentOf``) was put into the picture."""

ACTION_METADATA = "c2pa.edited.metadata"
"""18.15.2: what the file declares of itself was changed, and nothing that is seen or heard."""

ACTION_REDACTED = "c2pa.redacted"
"""18.15.2: an assertion of a manifest before this one was taken out."""

ACTION_RESIZED = "c2pa.resized.proportional"
"""18.15.2: other dimensions, same proportions."""

ACTION_WATERMARKED = "c2pa.watermarked.unbound"
"""18.15.2: an invisible mark without a ``c2pa.soft-binding`` assertion.

``c2pa.watermarked.bound`` needs a *listed* algorithm, which a mark of our own is not; ``c2pa.watermarked`` is
deprecated.
"""

ACTION_WATERMARKED_BOUND = "c2pa.watermarked.bound"
"""18.15.2: an invisible mark of a listed algorithm, whose value stands in ``c2pa.soft-binding`` (TrustMark)."""

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"

SOURCE_TRAINED = _IPTC + "trainedAlgorithmicMedia"
"""IPTC: made by a model trained on sampled content."""

SOURCE_COMPOSITE = _IPTC + "compositeWithTrainedAlgorithmicMedia"
"""IPTC: a picture from elsewhere, changed or extended by such a model."""

SOURCE_ENHANCED = _IPTC + "algorithmicallyEnhanced"
"""IPTC: changed by a fixed algorithm, as a blur that policy demands is."""

TIME_STAMP = "c2pa.time-stamp"
"""18.17: time-stamps over the claims of manifests before, by their labels."""

TYPE_GENERATOR = "c2pa.types.generator"
"""18.21, asset types: a generative model."""

TYPE_PROMPT = "c2pa.types.generator.prompt"
"""18.21: the text a generative model was given."""

TYPE_MODEL = "c2pa.types.model"
"""18.28: a model whose format we do not know."""

TYPE_MODEL_ONNX = "c2pa.types.model.onnx"
"""18.21: a model that ran in onnxruntime; its version is that of onnxruntime."""

TYPE_MODEL_PYTORCH = "c2pa.types.model.pytorch"
"""18.21: a model that ran in PyTorch; its version is that of torch."""

UNTRUSTED = "signingCredential.untrusted"
"""15.2: the signer is on none of the lists. Not a fault of the manifest."""

HARD_BINDING_MISMATCHES = frozenset(
    {
        "assertion.dataHash.mismatch",
        "assertion.boxesHash.mismatch",
        "assertion.boxesHash.unknownBox",
        "assertion.bmffHash.mismatch",
    }
)
"""15.2: the manifest is about other bytes than these. It does not tell why."""

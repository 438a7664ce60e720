"""The licence gate: from a request and a declared use to an assessment. Facts, not legal advice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe.core.decisions import PolicyRef
from sdsafe.gates.registry.advice import declare_hint, remedies
from sdsafe.gates.registry.assessment import Assessment, assess
from sdsafe.gates.registry.effective import EffectiveLicence, Part, combine
from sdsafe.gates.registry.records import Registry, public_ref
from sdsafe.gates.registry.use import DeclaredUse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sdsafe.core.decisions import Decision
    from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef

__all__ = ["LicenceGate"]


class LicenceGate:
    """Judges requests by the licences of everything that would make the picture."""

    def __init__(self, registry: Registry, organisation: DeclaredUse | None = None) -> None:
        """Keep the facts, and what is known about whoever asks.

        Args:
            registry: What ``load_registry`` returned.
            organisation: Revenue, users, territory and attestations; its ``use`` counts where a request declares
                none. Missing facts stay missing.
        """
        self._registry = registry
        self._organisation = organisation or DeclaredUse()

    @property
    def ref(self) -> PolicyRef:
        """The facts that judge: their version and the digest of all of them, own additions included."""
        return PolicyRef(id="licences", version=self._registry.version, digest=self._registry.digest)

    def effective(self, model: ModelRef, adapters: Iterable[AdapterRef] = ()) -> EffectiveLicence:
        """Return the effective licence of a model with adapters; its ``facts()`` are for policy rules."""
        base = Part(role="base", found=self._registry.find(model))
        rest = (Part(role=each.kind, found=self._registry.find(each)) for each in adapters)
        return combine((base, *rest), self._registry)

    def assess_request(self, request: GenerationRequest, use: DeclaredUse | None = None) -> Assessment:
        """Judge a request before anything is generated.

        Args:
            request: Resolved or not; a digest that is known already counts before the name.
            use: Overrides what the gate knows about the organisation; ``request.intended_use`` counts in any case.

        Raises:
            RequestError: The intended use does not exist.
        """
        declared = use or self._organisation
        if request.intended_use is not None:
            declared = replace(declared, use=request.intended_use)
        return assess(self.effective(request.model, request.adapters), declared, self._registry.marketplaces)

    def decide(self, request: GenerationRequest, use: DeclaredUse | None = None) -> Decision:
        """Return the same as a decision that unites with those of policy packs."""
        return self.assess_request(request, use).decision(self.ref)

    def hint(self, request: GenerationRequest, use: DeclaredUse | None = None) -> str:
        """Return what whoever was refused by ``decide`` can do about it; empty where nothing can be done."""
        declared = use or self._organisation
        assessment = self.assess_request(request, declared)
        if assessment.allows:
            return ""
        if request.intended_use is None and declared.use is None:
            uses = ("private", "internal", "commercial")
            return declare_hint(
                (each, self.assess_request(replace(request, intended_use=each), declared).effect) for each in uses
            )
        return " ".join(remedies(assessment))

    def public(self, model: ModelRef) -> ModelRef:
        """Return what a public manifest says of ``model``: an alias, where its record is private."""
        return public_ref(self._registry.find(model), model)

    def public_adapter(self, adapter: AdapterRef) -> AdapterRef:
        """Return what a public manifest says of ``adapter``: an alias, where its record is private."""
        record = self._registry.find(adapter).record
        if record is None or record.visibility == "public":
            return adapter
        return replace(adapter, repo=f"private:{record.alias}", file=None, revision=None, digest=None)

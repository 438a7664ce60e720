"""A whole pipeline for tests: fakes where a model would be, the real thing everywhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdsafe import plugins
from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded
from sdsafe.gates.hard.incidents import Incidents
from sdsafe.gates.policy.judge import PackPolicy
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.licence import Source
from sdsafe.gates.registry.loading import load_registry
from sdsafe.gates.registry.records import Record
from sdsafe.pipeline import Parts, Pipeline
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.testing.fakes import FakeGenerator, FakeOutputCheck
from sdsafe.testing.samples import sample_request

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["fake_licences", "fake_parts", "fake_pipeline", "signed_png"]


def fake_licences() -> LicenceGate:
    """Return a licence gate that knows the shipped facts, and the model of ``FakeGenerator`` as our own."""
    model = sample_request().model
    record = Record(
        id="fake-waves",
        name="the model of the fake generator",
        kind="base",
        digests=(model.digest or "",),
        licence="apache-2.0",
        sources=(Source(note="part of sdsafe", accessed="2026-11-23"),),
        verified="primary",
    )
    registry = load_registry()
    return LicenceGate(replace(registry, records=(*registry.records, record)))


def fake_parts(places: Places, **others: Any) -> Parts:
    """Return the parts of a pipeline that needs no model.

    Generator and output check are fakes; prompt check, packs, watermark, fingerprint, credential, ledger and
    repository are real. A development credential is made in ``places.keys`` if there is none.

    Args:
        places: Where state is kept; tests give a temporary folder.
        **others: Fields of ``Parts`` to use instead.
    """
    if not (places.keys / "chain.pem").exists():
        init_development(places.keys, name="sdsafe test", password=None, force=False)
    chosen: dict[str, Any] = {
        "generator": FakeGenerator(),
        "policy": PackPolicy(load_policies(["baseline"])),
        "licences": fake_licences(),
        "prompt_checks": (plugins.load("sdsafe.prompt_checks", "lexicon", places),),
        "output_checks": (FakeOutputCheck(category="nudity"),),
        "sound_checks": (plugins.load("sdsafe.sound_checks", "sound-signal", places),),
        "watermarker": plugins.load("sdsafe.watermarkers", "dwtDctSvd", places),
        "fingerprinters": (plugins.load("sdsafe.fingerprinters", "phash", places),),
        "signer": plugins.load("sdsafe.signers", "file", places),
        "ledger": plugins.load("sdsafe.ledgers", "sqlite", places),
        "repository": plugins.load("sdsafe.repositories", "sqlite", places),
        "incidents": Incidents(places),
    }
    return Parts(**{**chosen, **others})


def fake_pipeline(places: Places, **others: Any) -> Pipeline:
    """Return a pipeline made of ``fake_parts``."""
    return Pipeline(fake_parts(places, **others))


def signed_png(state: Path, *, prompt: str = "a red house on green hills", side: int = 256, **others: Any) -> bytes:
    """Return a released PNG whose keys, ledger and repository lie in ``state``.

    The root certificate to trust it by is ``state/keys/root.pem``.
    """
    pipeline = fake_pipeline(Places(state=state, cache=state / "cache"), **others)
    request = GenerationRequest(prompt=prompt, seed=7, size=Size(width=side, height=side))
    (outcome,) = pipeline.run(request)
    if not isinstance(outcome, Recorded):
        msg = f"the sample was not released: {outcome}"
        raise TypeError(msg)
    return outcome.asset.data

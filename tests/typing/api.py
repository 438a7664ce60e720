"""Type-checked by ``make check``, never run: how programs use the public names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import sdsafe

if TYPE_CHECKING:
    from sdsafe.protocols import (
        Fingerprinter,
        Ledger,
        ManifestRepository,
        OutputCheck,
        PromptCheck,
        Signer,
        Watermarker,
    )


def release(folder: Path) -> list[sdsafe.Recorded]:
    """Every outcome is one of three, and only one of them carries an asset."""
    settings = sdsafe.Settings.load(model="builtin:tiny")
    pipeline = sdsafe.open_pipeline(settings)
    request = sdsafe.GenerationRequest(prompt="x", seed=1, size=sdsafe.Size(width=512, height=512))
    released: list[sdsafe.Recorded] = []
    for outcome in pipeline.run(request, deliver=sdsafe.save_to(folder / "a.png")):
        match outcome:
            case sdsafe.Recorded():
                assert_type(outcome.asset.data, bytes)
                released.append(outcome)
            case sdsafe.Refused():
                assert_type(outcome.reason, str)
            case sdsafe.InReview():
                assert_type(outcome.ticket, str)
    return released


def prove(path: Path, roots: list[Path]) -> sdsafe.Verdict:
    """A report is looked at, never taken for a boolean."""
    try:
        report = sdsafe.verify(path, trust=roots, require=sdsafe.Require.TRUSTED)
    except sdsafe.VerificationError as error:
        return error.report.verdict
    assert_type(report, sdsafe.Report)
    return report.verdict


def slots(
    prompt_check: PromptCheck,
    output_check: OutputCheck,
    watermarker: Watermarker,
    fingerprinter: Fingerprinter,
    signer: Signer,
    ledger: Ledger,
    repository: ManifestRepository,
) -> None:
    """What is built in fills its slot as far as the type checker can see."""


def builtins_fill_their_slots() -> None:
    """Each argument is the built-in class of that slot."""
    from sdsafe.bindings.fingerprint.phash import PhashFingerprinter
    from sdsafe.bindings.watermark.invisible import InvisibleWatermarker
    from sdsafe.core.places import Places
    from sdsafe.gates.policy.check import LexiconCheck
    from sdsafe.gates.policy.loader import load_policies
    from sdsafe.gates.safety.open_nsfw import OpenNsfwCheck
    from sdsafe.provenance.signing.local import FileSigner
    from sdsafe.records.ledger.log import SqliteLedger
    from sdsafe.records.repository.sqlite import SqliteRepository

    places = Places(state=Path("state"), cache=Path("cache"))
    slots(
        LexiconCheck(load_policies(["baseline"])),
        OpenNsfwCheck(places),
        InvisibleWatermarker(),
        PhashFingerprinter(),
        FileSigner.configure(places, {}),
        SqliteLedger(places),
        SqliteRepository(places),
    )

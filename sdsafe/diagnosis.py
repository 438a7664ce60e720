"""``diagnose()``: tries the whole way on this machine, with canaries that must be refused and one that must return.

The canaries run in a throw-away state folder with a credential of their own, so that a diagnosis leaves
neither an entry in the ledger nor a record in the repository.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe._internal import images
from sdsafe.api import open_pipeline, open_validator
from sdsafe.core.places import Places
from sdsafe.core.report import Verdict
from sdsafe.core.request import GenerationRequest, ModelRef, Size
from sdsafe.core.states import Asset, InReview, Refused
from sdsafe.errors import SdsafeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sdsafe.settings import Settings

__all__ = ["CANARY", "HARD_CANARY", "Examined", "diagnose"]

CANARY = "sdsafe-canary-refuse-me"
"""A term that the baseline pack lists so that the prompt gate can be shown to hold."""

HARD_CANARY = "__age_test__ __sexual_test__"
"""Stand-ins without meaning for the two halves of what the hard layer refuses."""

_ROUND_TRIP = GenerationRequest(
    prompt="a calm sea", model=ModelRef(repo="builtin:tiny"), seed=1, size=Size(width=256, height=256), steps=2
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One thing that was tried, how it went, and what to do if it went wrong."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def diagnose(settings: Settings) -> Iterator[Examined]:
    """Yield one line per thing tried; never raises, and goes on after a failure."""
    for name, attempt in _ATTEMPTS.items():
        try:
            yield Examined(name=name, ok=True, detail=attempt(settings))
        except SdsafeError as error:
            yield Examined(name=name, ok=False, detail=str(error), hint=error.hint)
        except Exception as error:  # noqa: BLE001 - a diagnosis reports faults of any kind
            yield Examined(name=name, ok=False, detail=f"unexpected {type(error).__name__}")


def _packs(settings: Settings) -> str:
    from sdsafe.gates.policy.loader import load_policies

    load_policies(settings.effective_policies, settings.policy_folders)
    return ", ".join(settings.effective_policies)


def _credential(settings: Settings) -> str:
    from sdsafe import plugins
    from sdsafe.provenance.signing.credentials import expiry_warning
    from sdsafe.provenance.signing.uri import parse_signer_uri

    scheme, options = parse_signer_uri(settings.signer)
    chosen = {**options, **settings.options_for(scheme)}
    signer = plugins.load("sdsafe.signers", scheme, settings.places, chosen)
    return expiry_warning(signer.certificate_chain[0]) or f"{signer.alg}, chain of {len(signer.certificate_chain)}"


def _ledger(settings: Settings) -> str:
    from sdsafe.records.ledger.audit import audit
    from sdsafe.records.ledger.log import SqliteLedger

    ledger = SqliteLedger.open_existing(settings.places)
    if ledger is None:
        return "no entries yet"
    result = audit(ledger)
    if not result.consistent:
        raise SdsafeError("the ledger does not hold together", hint="`sdsafe ledger audit` names what is wrong.")
    return f"entries that hold together: {result.size}"


def _hard(settings: Settings) -> str:
    from sdsafe.gates.hard.composition import check_version
    from sdsafe.gates.hard.incidents import Incidents

    with _throwaway(settings) as temporary:
        (outcome,) = open_pipeline(temporary).run(replace(_ROUND_TRIP, prompt=HARD_CANARY))
        noted = len(Incidents(temporary.places).entries())
    if not isinstance(outcome, Refused) or not outcome.reason.startswith("hard."):
        raise SdsafeError(
            "the hard layer did NOT refuse its canary", hint="Install sdsafe again from a source you trust."
        )
    if noted != 1:
        raise SdsafeError("the hard layer refused its canary and noted no incident")
    kept = len(Incidents(settings.places).entries())
    return f"refused as {outcome.reason} by version {check_version()}; incidents noted here so far: {kept}"


def _refusal(settings: Settings) -> str:
    with _throwaway(settings) as temporary:
        request = replace(_ROUND_TRIP, prompt=f"a calm sea {CANARY}")
        (outcome,) = open_pipeline(temporary).run(request)
    if not isinstance(outcome, Refused):
        raise SdsafeError("the canary prompt was NOT refused", hint="Check that the baseline pack is configured.")
    return f"refused by {', '.join(rule.rule for rule in outcome.decision.leading)}"


def _round_trip(settings: Settings) -> str:
    with _throwaway(settings) as temporary:
        (outcome,) = open_pipeline(temporary).run(_ROUND_TRIP)
        if isinstance(outcome, InReview):
            return "it waits for a person, as your packs ask"  # in the throw-away state: nobody is asked
        if isinstance(outcome, Refused):
            raise SdsafeError(f"a harmless picture was not released: {outcome.message}")
        validator = open_validator(temporary, trust=[temporary.places.keys / "root.pem"], check_watermark=True)
        _expect(validator.inspect(outcome.asset).verdict, Verdict.TRUSTED, "the signed picture")
        stripped = Asset(data=images.encode(images.decode(outcome.asset.data)), media_type="image/png")
        _expect(validator.inspect(stripped).verdict, Verdict.RECOVERED, "the picture without its manifest")
    return "signed, trusted, and recovered after its manifest was stripped"


def _expect(found: Verdict, wanted: Verdict, what: str) -> None:
    if found is not wanted:
        raise SdsafeError(f"{what} verifies as {found.value}, expected {wanted.value}")


class _throwaway:  # noqa: N801 - used as a context manager, like a function
    """Settings whose state lies in a temporary folder, with a credential of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="sdsafe-doctor-")

    def __enter__(self) -> Settings:
        from sdsafe.provenance.signing.credentials import init_development

        places = Places(state=Path(self._folder.name), cache=self._settings.places.cache)
        init_development(places.keys, name="sdsafe doctor", password=None, force=False)
        return replace(self._settings, places=places, signer="file:")

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


_ATTEMPTS: dict[str, Callable[[Settings], str]] = {
    "policy packs load": _packs,
    "signing credential": _credential,
    "ledger": _ledger,
    "canary prompt is refused": _refusal,
    "hard layer refuses its canary": _hard,
    "canary picture round-trips": _round_trip,
}

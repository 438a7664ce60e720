"""Keeps the key: examines, signs, reads back, writes the line in its log, and only then lets the signature out."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sdsafe._internal.clock import now, rfc3339
from sdsafe.core.digests import sha256_hex
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.core.report import Evidence, ManifestState
from sdsafe.errors import LedgerError, SigningError
from sdsafe.provenance.manifest import _c2pa
from sdsafe.provenance.manifest.conformance import conformance
from sdsafe.provenance.manifest.dossier import definition_of
from sdsafe.provenance.manifest.probe import ManifestProbe
from sdsafe.signer.bucket import Bucket
from sdsafe.signer.examination import examine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sdsafe.core.dossier import Dossier
    from sdsafe.core.states import Asset
    from sdsafe.protocols import Signer, TimeStamper
    from sdsafe.records.ledger.log import SqliteLedger
    from sdsafe.signer.examination import Vetted
    from sdsafe.signer.floor import Floor

__all__ = ["FAULT_POINTS", "Keeper", "signed_lately"]

FAULT_POINTS = ("signer.signed", "signer.logged")
"""Where a test may kill the process to see what is left."""

_MINUTE = timedelta(minutes=1)


def _reach(_point: str) -> None:
    """Do nothing; tests put a kill in its place."""


class Keeper:
    """Signs what it has examined. Safe to share between threads; one process per log."""

    def __init__(self, signer: Signer, floor: Floor, log: SqliteLedger, per_minute: int) -> None:
        """Keep the key and what it takes to have it used.

        Args:
            signer: Holds the key.
            floor: What every file must show.
            log: Of this signer alone.
            per_minute: How many signatures at most.
        """
        self._signer, self._floor, self._log = signer, floor, log
        self._bucket = Bucket(per_minute, spent=signed_lately(log, per_minute))
        self._under_way: set[str] = set()
        self._lock = threading.Lock()
        self._refusals: Counter[str] = Counter()
        self._per_minute, self._since = per_minute, rfc3339()

    @property
    def credential(self) -> tuple[str, tuple[bytes, ...]]:
        """Algorithm and certificates, leaf first."""
        return self._signer.alg, self._signer.certificate_chain

    def sign(self, shown: Dossier, stamper: TimeStamper | None) -> tuple[bytes, bytes]:
        """Return (file bytes, manifest store), after the log has durably noted them.

        Raises:
            SigningError: ``signer.*``: it is not signed, and why.
            SdsafeError: Signing failed.
        """
        try:
            return self._sign(shown, stamper)
        except LedgerError as error:
            self._note(error.code)
            raise SigningError(
                "the signer's log cannot be written, so nothing is signed", code="signer.log", hint=error.hint
            ) from error
        except SigningError as error:
            self._note(error.code)
            raise

    def status(self) -> Mapping[str, object]:
        """Return what anybody who may ask for signatures may know."""
        head = self._log.checkpoint()
        with self._lock:
            refused = dict(sorted(self._refusals.items()))
        return {
            "alg": self._signer.alg,
            "since": self._since,
            "signatures": head.tree_size if head else 0,
            "refused_since": refused,
            "per_minute": self._per_minute,
            "packs": [f"{ref.id} {ref.version}" for ref in self._floor.packs],
            "checks": [*self._floor.prompt_checks, *self._floor.output_checks, *self._floor.sound_checks],
        }

    def _sign(self, shown: Dossier, stamper: TimeStamper | None) -> tuple[bytes, bytes]:
        vetted = examine(shown, self._floor, now())
        with self._alone(vetted.asset_id):
            self._require_new(vetted)
            if _c2pa.read(shown.asset).present:
                raise SigningError("the file carries a manifest already, or cannot be read", code="signer.document")
            self._bucket.take()
            data, store = _c2pa.sign(shown.asset, definition_of(shown), self._signer, stamper, beside=shown.beside)
            signed = replace(shown.asset, data=data, sidecar=store if shown.beside else None)
            _read_back(signed, vetted)
            _reach("signer.signed")
            self._log.append(_line(vetted, data, store))
            _reach("signer.logged")
        return data, store

    @contextmanager
    def _alone(self, asset_id: str) -> Iterator[None]:
        with self._lock:
            if asset_id in self._under_way:
                raise SigningError(f"asset {asset_id} is being signed right now", code="signer.repeated")
            self._under_way.add(asset_id)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard(asset_id)

    def _require_new(self, vetted: Vetted) -> None:
        """Refuse an id that stands for other content; the same again is what a lost answer leads to."""
        earlier = self._log.prove(vetted.asset_id)
        if earlier is None:
            return
        said = dict(earlier.entry.extra)
        if (said.get("assertion"), said.get("content")) != (vetted.assertion, vetted.content):
            raise SigningError(
                f"asset {vetted.asset_id} was signed before, with other content",
                code="signer.repeated",
                hint="Every asset has an id of its own; generate it again.",
            )

    def _note(self, code: str) -> None:
        with self._lock:
            self._refusals[code] += 1


def signed_lately(log: SqliteLedger, most: int) -> int:
    """Return how many of the newest ``most`` entries are younger than a minute; those of the future count."""
    head = log.checkpoint()
    if head is None:
        return 0
    since = rfc3339(now() - _MINUTE)
    return sum(each.entry.recorded_at >= since for each in log.entries(max(0, head.tree_size - most)))


def _read_back(asset: Asset, vetted: Vetted) -> None:
    """Make sure that what leaves is a conformant manifest about this asset, as a stranger would read it."""
    seen, reading = ManifestProbe().look(asset, Evidence())
    said = None if seen.summary is None else seen.summary.asset_id
    if seen.manifest is not ManifestState.VALID or said != vetted.asset_id:
        raise SigningError("the signed file does not read back as valid", code="signer.readback")
    if failed := [each.check.id for each in conformance(reading.manifest) if not each.passed]:
        raise SigningError(f"the manifest is not conformant: {', '.join(failed)}", code="signer.readback")


def _line(vetted: Vetted, data: bytes, store: bytes) -> LedgerEntry:
    return LedgerEntry(
        kind=EntryKind.SIGNED,
        asset_id=vetted.asset_id,
        asset_sha256=sha256_hex(data),
        manifest_sha256=sha256_hex(store),
        policy_digests=vetted.policy_digests,
        effect=vetted.effect,
        record_sha256=vetted.receipts,
        recorded_at=rfc3339(),
        extra=(("assertion", vetted.assertion), ("content", vetted.content)),
    )

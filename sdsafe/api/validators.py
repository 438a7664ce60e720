"""A validator from settings, and the two questions to ask it about a file."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from sdsafe.api.files import read_asset
from sdsafe.api.slots import plugin
from sdsafe.core.trust import ListKind, Require, TrustPolicy
from sdsafe.settings import Settings
from sdsafe.verification import Validator

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from sdsafe.core.report import Report
    from sdsafe.protocols import Fingerprinter, ManifestRepository, Probe

__all__ = ["inspect", "open_validator", "verify"]

_EARLIER_MARKS = ("dwtDctSvd",)  # once the default: files in the world carry them


def open_validator(  # noqa: PLR0913 - all that an auditor may bring along, each by its name
    settings: Settings | None = None,
    *,
    trust: Iterable[Path] = (),
    require: Require | None = None,
    check_watermark: bool = False,
    trust_tsa: Iterable[Path] = (),
    at: datetime | None = None,
    crl: Iterable[Path] = (),
) -> Validator:
    """Return a validator; needs no torch and creates nothing on disk.

    Args:
        settings: Default: ``Settings.load()``. Its repository and ledger are used where they exist.
        trust: Lists of trust anchors for signers (files or folders), besides those of the settings and those that
            `sdsafe trust update` keeps.
        require: The least verdict that ``verify`` accepts.
        check_watermark: Look for the mark even when the manifest is intact.
        trust_tsa: PEM files with trust anchors for time-stamps, besides those of the settings.
        crl: Revocation lists (PEM or DER) of the authorities that issue signers' certificates.
        at: Time of validation (aware), where no time-stamp proves when it was signed; default: now.
    """
    from sdsafe.bindings.fingerprint.probe import FingerprintProbe
    from sdsafe.bindings.watermark.probe import WatermarkProbe
    from sdsafe.provenance.manifest.probe import ManifestProbe, RecoveryProbe
    from sdsafe.provenance.metadata.probe import MetadataProbe
    from sdsafe.provenance.trust.lists import load_anchors
    from sdsafe.provenance.trust.probe import TrustProbe
    from sdsafe.provenance.trust.revocation import load_crl
    from sdsafe.provenance.trust.store import TrustStore
    from sdsafe.records.ledger.log import SqliteLedger
    from sdsafe.records.ledger.probe import LedgerProbe
    from sdsafe.records.repository.sqlite import SqliteRepository

    chosen = settings or Settings.load()
    lists = {
        ListKind.MANIFEST: (*chosen.trust_manifest, *trust),
        ListKind.TSA: (*chosen.trust_tsa, *trust_tsa),
        ListKind.CAWG: chosen.trust_cawg,
    }
    kept = TrustStore(chosen.places).anchors()
    anchors = {
        kind: (*kept[kind], *(pem for path in paths for pem in load_anchors(path))) for kind, paths in lists.items()
    }
    policy = TrustPolicy(anchors=anchors, require=require, check_watermark=check_watermark)
    repository: ManifestRepository | None = SqliteRepository.open_existing(chosen.places)
    fingerprinters: tuple[Fingerprinter, ...] = tuple(
        plugin("fingerprinters", name, chosen) for name in chosen.fingerprinters
    )
    readers = [functools.partial(plugin, "watermarkers", name, chosen) for name in _marks(chosen)]
    probes: tuple[Probe, ...] = (
        ManifestProbe(time_anchors=anchors[ListKind.TSA], at=at),
        TrustProbe(policy, at=at, revoked=[load_crl(each) for each in crl]),
        MetadataProbe(),
        WatermarkProbe(readers, repository, fingerprinters, always=check_watermark),
        FingerprintProbe(fingerprinters, repository),
        RecoveryProbe(),
        LedgerProbe(SqliteLedger.open_existing(chosen.places)),
    )
    return Validator(probes=probes, policy=policy)


def _marks(chosen: Settings) -> Iterable[str]:
    """Return which marks to look for, the likeliest first: that of the settings, then those of before.

    The built-in one is of before where its key lies in the state folder: somebody marked with it here, and whoever
    changes to another mark still reads the pictures that have it.
    """
    from sdsafe.bindings.watermark.keys import KEY_FILE

    built_in = ("lattice",) if (chosen.places.state / KEY_FILE).is_file() else ()
    return dict.fromkeys((chosen.watermarker, *built_in, *_EARLIER_MARKS))


def inspect(path: Path, *, settings: Settings | None = None, trust: Iterable[Path] = ()) -> Report:
    """Report everything that the picture at ``path`` carries; see ``sdsafe.verification.inspect``."""
    return open_validator(settings, trust=trust).inspect(read_asset(path))


def verify(
    path: Path, *, settings: Settings | None = None, trust: Iterable[Path] = (), require: Require | None = None
) -> Report:
    """Return the report of the picture at ``path`` or raise; see ``sdsafe.verification.verify``."""
    return open_validator(settings, trust=trust, require=require).verify(read_asset(path))

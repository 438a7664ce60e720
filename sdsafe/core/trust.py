"""What an auditor accepts: trust anchors per kind, and how much has to be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ListKind", "Require", "TrustPolicy"]


class ListKind(StrEnum):
    """The kinds of trust list of C2PA 2.x; a root accepted for one says nothing about the others."""

    MANIFEST = "manifest"
    TSA = "tsa"
    CAWG = "cawg"


class Require(StrEnum):
    """The least verdict that ``verify()`` accepts."""

    TRUSTED = "trusted"
    VALID = "valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """What the auditor brings along.

    With no anchors nobody is trusted: an intact manifest is then *valid*, its signer unknown.
    """

    anchors: Mapping[ListKind, tuple[bytes, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """PEM blocks, one certificate each, per kind of list."""
    require: Require | None = None
    """None: *trusted* when manifest anchors are configured, else *valid*."""
    check_watermark: bool = False
    """Look for the watermark even though the manifest is intact."""

    @property
    def least(self) -> Require:
        """The requirement after resolving None."""
        if self.require is not None:
            return self.require
        return Require.TRUSTED if self.anchors.get(ListKind.MANIFEST) else Require.VALID

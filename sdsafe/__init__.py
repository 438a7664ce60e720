"""Policy before, safety after, proof forever: sdsafe wraps the whole diffusion pipeline.

    import sdsafe

    pipeline = sdsafe.open_pipeline()
    (outcome,) = pipeline.run(sdsafe.GenerationRequest(prompt="a red house on green hills", seed=7))

Names resolve on first touch (PEP 562): importing this package imports nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdsafe.api import adopt as adopt
    from sdsafe.api import inspect as inspect
    from sdsafe.api import open_keeper as open_keeper
    from sdsafe.api import open_pipeline as open_pipeline
    from sdsafe.api import open_validator as open_validator
    from sdsafe.api import read_asset as read_asset
    from sdsafe.api import read_input as read_input
    from sdsafe.api import save_to as save_to
    from sdsafe.api import verify as verify
    from sdsafe.core.decisions import Decision as Decision
    from sdsafe.core.decisions import Effect as Effect
    from sdsafe.core.findings import CheckResult as CheckResult
    from sdsafe.core.findings import Finding as Finding
    from sdsafe.core.ids import AssetId as AssetId
    from sdsafe.core.report import Report as Report
    from sdsafe.core.report import Verdict as Verdict
    from sdsafe.core.request import AdapterRef as AdapterRef
    from sdsafe.core.request import GenerationRequest as GenerationRequest
    from sdsafe.core.request import ModelRef as ModelRef
    from sdsafe.core.request import PromptDisclosure as PromptDisclosure
    from sdsafe.core.request import Size as Size
    from sdsafe.core.request import Task as Task
    from sdsafe.core.statement import Statement as Statement
    from sdsafe.core.states import Asset as Asset
    from sdsafe.core.states import InReview as InReview
    from sdsafe.core.states import Outcome as Outcome
    from sdsafe.core.states import Recorded as Recorded
    from sdsafe.core.states import Refused as Refused
    from sdsafe.core.trust import Require as Require
    from sdsafe.core.trust import TrustPolicy as TrustPolicy
    from sdsafe.errors import SdsafeError as SdsafeError
    from sdsafe.errors import VerificationError as VerificationError
    from sdsafe.pipeline import Pipeline as Pipeline
    from sdsafe.pipeline import UnsafeNoOutputCheck as UnsafeNoOutputCheck
    from sdsafe.settings import Settings as Settings
    from sdsafe.verification import Validator as Validator

_HOME = {
    "sdsafe.api": (
        "adopt",
        "inspect",
        "open_keeper",
        "open_pipeline",
        "open_validator",
        "read_asset",
        "read_input",
        "save_to",
        "verify",
    ),
    "sdsafe.core.decisions": ("Decision", "Effect"),
    "sdsafe.core.findings": ("CheckResult", "Finding"),
    "sdsafe.core.ids": ("AssetId",),
    "sdsafe.core.report": ("Report", "Verdict"),
    "sdsafe.core.request": ("AdapterRef", "GenerationRequest", "ModelRef", "PromptDisclosure", "Size", "Task"),
    "sdsafe.core.statement": ("Statement",),
    "sdsafe.core.states": ("Asset", "InReview", "Outcome", "Recorded", "Refused"),
    "sdsafe.core.trust": ("Require", "TrustPolicy"),
    "sdsafe.errors": ("SdsafeError", "VerificationError"),
    "sdsafe.pipeline": ("Pipeline", "UnsafeNoOutputCheck"),
    "sdsafe.settings": ("Settings",),
    "sdsafe.verification": ("Validator",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted((*_MODULE_OF, "__version__"))  # noqa: PLE0605 - derived, so that it cannot drift


def __getattr__(name: str) -> object:
    """Resolve a public name on first touch."""
    if name == "__version__":
        from importlib.metadata import version

        return version("sdsafe")
    module = _MODULE_OF.get(name)
    if module is None:
        msg = f"module 'sdsafe' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    """List the public names without resolving them."""
    return list(__all__)

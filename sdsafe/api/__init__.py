"""Convenience: a ``Pipeline`` or a ``Validator`` from ``Settings``, and files in and out."""

from sdsafe.api.files import SIDECAR, read_asset, read_input, save_to
from sdsafe.api.judging import judging_packs, open_policy, open_prompt_checks
from sdsafe.api.pipelines import adopt, open_keeper, open_pipeline
from sdsafe.api.signing import open_signing, open_stamper
from sdsafe.api.slots import open_generator
from sdsafe.api.validators import inspect, open_validator, verify

__all__ = [
    "SIDECAR",
    "adopt",
    "inspect",
    "judging_packs",
    "open_generator",
    "open_keeper",
    "open_pipeline",
    "open_policy",
    "open_prompt_checks",
    "open_signing",
    "open_stamper",
    "open_validator",
    "read_asset",
    "read_input",
    "save_to",
    "verify",
]

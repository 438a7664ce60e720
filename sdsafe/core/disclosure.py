"""The prompt commitment: a salted digest that says nothing until it is opened."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sdsafe.core.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.request import GenerationRequest

__all__ = ["COMMITMENT_ALGORITHM", "commitment", "prompt_commitment"]

COMMITMENT_ALGORITHM = "sha256(salt || canonical-json(texts))"
"""What a manifest names beside the commitment, so that an auditor can repeat it with other tools."""

_LEAST_SALT = 16


def prompt_commitment(request: GenerationRequest, salt: bytes) -> str:
    """Return the commitment to every text of a request; see ``commitment``."""
    return commitment(dict(request.texts()), salt)


def commitment(texts: Mapping[str, str], salt: bytes) -> str:
    """Return SHA-256(``salt`` || canonical JSON of the text fields that were given), as 64 hex digits.

    The JSON is an object from field name (``prompt``, ``prompt_2``, ``prompt_3``, ``negative_prompt``) to text;
    fields that are None are left out. Whoever has salt and texts can repeat it; whoever has only the commitment
    cannot try prompts against it, because the salt is unknown.

    Args:
        texts: Name of the field to text.
        salt: At least 16 random bytes, kept in the private record only.

    Raises:
        ValueError: The salt is shorter: a digest of a short prompt could be guessed.
    """
    if len(salt) < _LEAST_SALT:
        msg = f"the salt of a commitment has at least {_LEAST_SALT} bytes, found {len(salt)}"
        raise ValueError(msg)
    return hashlib.sha256(salt + canonical_json(dict(texts))).hexdigest()

"""The compositions that are never allowed: a minor and sexual content, a real person and intimate content.

Both halves come from all texts of a request together, from what prompt checks found, and from what output checks
measured. Checks can only add to what is read here: nothing that a pack, a plug-in or a setting says takes away.

The negative prompt is not read with the others: models steer away from what it names, and safe use fills it with the
very words that are listed here. Where guidance is below zero a model steers towards it, and it is read like the rest.
"""

from __future__ import annotations

import functools
from enum import StrEnum
from typing import TYPE_CHECKING

from sdsafe._internal.text.normalize import UNICODE
from sdsafe.core.canonical import canonical_digest
from sdsafe.gates.hard.age_terms import AGE
from sdsafe.gates.hard.consent_terms import CONSENT, NONCONSENSUAL
from sdsafe.gates.hard.matching import Half, Matcher
from sdsafe.gates.hard.sexual_terms import SEXUAL, SUGGESTIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdsafe.core.findings import CheckResult, Finding
    from sdsafe.core.request import GenerationRequest

__all__ = ["MAX_CHARACTERS", "HardCategory", "check_digest", "check_version", "composed"]

MAX_CHARACTERS = 200_000
"""Longest text, everything together, that is read; no text encoder reads a tenth of it."""

_RULES = 1  # raised whenever the same terms and the same request may be judged otherwise
_AT_LEAST = 0.5  # of a score; a finding without one counts in full
_NEGATIVE = "negative_prompt"


class HardCategory(StrEnum):
    """What a refusal of the hard layer is about."""

    MINOR_SEXUAL = "minor_sexual"
    """Sexual content with somebody who is, or looks, under 18."""
    NONCONSENSUAL_INTIMATE = "nonconsensual_intimate"
    """Intimate content with a real person, or with somebody who did not agree."""
    UNREAD = "unread"
    """Texts longer than ``MAX_CHARACTERS``: what nobody reads is not made."""


_LISTS = (
    (AGE, Half.AGE),
    (SEXUAL, Half.SEXUAL),
    (SUGGESTIVE, Half.SUGGESTIVE),
    (CONSENT, Half.PERSON),
    (NONCONSENSUAL, Half.PERSON | Half.SEXUAL),
)

_CATEGORIES = {
    "apparent_minor": Half.AGE,
    "__age_test__": Half.AGE,
    "sexual_explicit": Half.SEXUAL,
    "sexual": Half.SEXUAL,
    "nudity": Half.SEXUAL,
    "__sexual_test__": Half.SEXUAL,
    "real_person": Half.PERSON,
    "__person_test__": Half.PERSON,
}
"""Categories of other checks that stand for a half. Lists of ages (``minor``) do not: they hold names and everyday
words that mean a child only sometimes, and rules of packs judge them."""


def composed(
    request: GenerationRequest, results: Sequence[CheckResult] = (), *, shows_person: bool = False
) -> HardCategory | None:
    """Return what must not be made of this request, or None.

    Args:
        request: All of its texts count, wherever they stand.
        results: Of prompt checks, and of output checks once there is a picture: a text that names a minor and a
            picture with a nudity score of 0.5 compose like two words do.
        shows_person: Whether model or adapters were made to show one real person.
    """
    texts = _texts(request)
    if sum(map(len, texts)) > MAX_CHARACTERS:
        return HardCategory.UNREAD
    # One text: a term may begin in one field and end in the next, and halves meet wherever they stand.
    halves = (
        _matcher().halves("\n".join(texts)) | _found(request, results) | (Half.PERSON if shows_person else Half.NONE)
    )
    if Half.AGE in halves and halves & (Half.SEXUAL | Half.SUGGESTIVE):
        return HardCategory.MINOR_SEXUAL
    if Half.PERSON in halves and Half.SEXUAL in halves:
        return HardCategory.NONCONSENSUAL_INTIMATE
    return None


@functools.cache
def check_digest() -> str:
    """Return the SHA-256 of the rules' version, the terms and the Unicode tables they are read with."""
    terms = [
        [half.value, language, listed.terms, listed.harmless, listed.numbers, listed.inside]
        for languages, half in _LISTS
        for language, listed in languages.items()
    ]
    return canonical_digest([_RULES, UNICODE, terms])


def check_version() -> str:
    """Return the version as incidents record it: of the rules, and the first digits of ``check_digest``."""
    return f"{_RULES}+{check_digest()[:12]}"


@functools.cache
def _matcher() -> Matcher:
    return Matcher(_LISTS)


def _texts(request: GenerationRequest) -> list[str]:
    """Return everything that says what to make: texts, texts among the parameters, names of model and adapters."""
    texts = [text for field, text in request.texts() if field != _NEGATIVE or _towards_negative(request)]
    texts += [
        value
        for name, value in request.parameters.items()
        if isinstance(value, str) and not (name.startswith("negative") and not _towards_negative(request))
    ]
    return [*texts, request.model.repo, *(adapter.repo for adapter in request.adapters)]


def _towards_negative(request: GenerationRequest) -> bool:
    return request.guidance is not None and not request.guidance >= 0  # NaN counts as below zero


def _found(request: GenerationRequest, results: Sequence[CheckResult]) -> Half:
    halves = Half.NONE
    for result in results:
        for finding in result.findings:
            if _counts(finding, request):
                halves |= _CATEGORIES.get(finding.category or "", Half.NONE)
    return halves


def _counts(finding: Finding, request: GenerationRequest) -> bool:
    if finding.span is not None and finding.span.field == _NEGATIVE and not _towards_negative(request):
        return False
    return finding.score is None or finding.score >= _AT_LEAST

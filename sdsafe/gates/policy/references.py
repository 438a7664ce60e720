"""Checks what a pack refers to beyond itself: that categories exist, fit their stage, and that terms can match.

A rule about a category that nothing ever reports would be false for ever, which reads like a permission; so a
misspelt category is an error when the pack loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.core.findings import Stage
from sdsafe.errors import PolicyFormatError
from sdsafe.gates.policy._misspelling import MOST_TERMS
from sdsafe.gates.policy.categories import BUILTIN, TERMS, Category
from sdsafe.gates.policy.model import AllOf, AnyOf, Found, Not
from sdsafe.gates.policy.terms import LONGEST_TERM, can_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sdsafe.gates.policy.model import Condition, Pack

__all__ = ["check_rules", "check_terms", "known_categories"]

_LONGEST_TERM = 200


def check_terms(pack: Pack, file: str) -> None:
    """Raise ``PolicyFormatError`` for a list without terms, or a term that cannot match anything."""
    for index, listed in enumerate(pack.terms):
        spellings = listed.spellings()
        if not spellings:
            raise PolicyFormatError(file=file, key=f"terms[{index}]", expected="at least one term", found="none")
        if listed.tolerance and len(spellings) > MOST_TERMS:
            expected = f"no tolerance in a list of more than {MOST_TERMS:,} terms and aliases"
            raise PolicyFormatError(
                file=file,
                key=f"terms[{index}].tolerance",
                expected=expected,
                found=f"{len(spellings):,}",
                hint="Every tolerated letter makes chance matches likelier; write known misspellings as aliases.",
            )
        for text in spellings:
            if not can_match(text):
                raise PolicyFormatError(
                    file=file,
                    key=f"terms[{index}]",
                    expected=f"terms with a letter or digit, of at most {LONGEST_TERM} characters",
                    found=ascii(text[:60]),
                )


def known_categories(pack: Pack, inherited: Iterable[Mapping[str, Category]], file: str) -> dict[str, Category]:
    """Return what the pack's rules may refer to.

    Args:
        pack: The pack itself.
        inherited: The categories of each pack that it extends.
        file: What to call the pack in errors.

    Raises:
        PolicyFormatError: One name stands for two different things.
    """
    known: dict[str, Category] = dict(BUILTIN)
    declared = [
        (f"categories.{name}", name, Category(stage=Stage(note.stage), scored=note.scored, check=note.check))
        for name, note in pack.categories.items()
    ]
    listed = [(f"terms[{index}].category", each.category, TERMS) for index, each in enumerate(pack.terms)]
    extended = [("extends", name, category) for each in inherited for name, category in each.items()]
    for key, name, category in (*extended, *declared, *listed):
        if known.setdefault(name, category) != category:
            wanted = known[name]
            raise PolicyFormatError(
                file=file, key=key, expected=_describe(wanted, name), found=_describe(category, name)
            )
    return known


def _describe(category: Category, name: str) -> str:
    by = f" reported by {category.check}" if category.check else ""
    return f"{name!r} as a {'scored' if category.scored else 'plain'} category of stage {category.stage}{by}"


def check_rules(pack: Pack, categories: Mapping[str, Category], file: str) -> None:
    """Raise ``PolicyFormatError`` for a rule that asks what no check at its stage can answer."""
    for index, rule in enumerate(pack.rules):
        for path, found in _asked(rule.when, f"rules[{index}].when"):
            expected = _mistake(found, rule.stage, categories)
            if expected:
                raise PolicyFormatError(file=file, key=path, expected=expected, found=repr(found.found))


def _asked(condition: Condition, path: str) -> Iterator[tuple[str, Found]]:
    """Yield every ``found`` of a condition with its key path."""
    if isinstance(condition, Found):
        yield path, condition
    elif isinstance(condition, Not):
        yield from _asked(condition.negated, f"{path}.not")
    elif isinstance(condition, AnyOf | AllOf):
        key, inner = ("any", condition.any) if isinstance(condition, AnyOf) else ("all", condition.all)
        for index, each in enumerate(inner):
            yield from _asked(each, f"{path}.{key}[{index}]")


def _mistake(asked: Found, stage: str, categories: Mapping[str, Category]) -> str:
    """Return what would have been right, empty when the question can be answered."""
    category = categories.get(asked.found)
    if category is None:
        return f"a known category ({', '.join(sorted(categories))})"
    if stage not in {Stage.EXPORT, category.stage}:
        return f"a category that is seen at stage {stage}"
    if category.scored and asked.at_least is None:
        return "at_least beside a scored category, which is reported every time"
    if not category.scored and asked.at_least is not None:
        return "no at_least beside a category without scores"
    if category.stage is not Stage.PROMPT and asked.fields is not None:
        return "no fields beside a category that is not found in text"
    return ""

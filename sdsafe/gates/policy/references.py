"""Checks what a pack refers to beyond itself: that categories exist, fit their stage, and that terms can match.

A rule about a category that nothing ever reports would be false for ever, which reads like a permission; so a
misspelt category is an error when the pack loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsafe.core.findings import Stage
from sdsafe.errors import PolicyFormatError
from sdsafe.gates.policy._misspelling import MOST_TERMS
from sdsafe.gates.policy.categories import BUILTIN, TERMS, Category
from sdsafe.gates.policy.cel import Condition, ConditionError, Door
from sdsafe.gates.policy.facts import category_of, declared
from sdsafe.gates.policy.terms import LONGEST_TERM, can_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sdsafe.gates.policy.model import Pack, Rule

__all__ = ["Conditions", "check_terms", "compile_rules", "known_categories"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The rules of one stage of a pack, each with its compiled condition."""

    stage: Stage
    door: Door
    categories: Mapping[str, Category]
    """Those that its rules ask about."""
    rules: tuple[tuple[Rule, Condition], ...]


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


def compile_rules(pack: Pack, categories: Mapping[str, Category], file: str) -> tuple[Conditions, ...]:
    """Return the conditions of the pack's rules, by stage.

    Raises:
        PolicyFormatError: A condition names a fact that nobody can know at its stage, or is none.
    """
    compiled = []
    for stage in dict.fromkeys(rule.stage for rule in pack.rules):
        facts = declared(Stage(stage), categories)
        door, rules = Door(facts), []
        for index, rule in enumerate(pack.rules):
            if rule.stage != stage:
                continue
            try:
                rules.append((rule, door.compile(rule.when)))
            except ConditionError as error:
                raise PolicyFormatError(
                    file=file, key=f"rules[{index}].when", expected=error.expected, found=error.found
                ) from error
        about = [category_of(name) for _, condition in rules for name in condition.names]
        asked = {each[0]: categories[each[0]] for each in about if each is not None}
        compiled.append(Conditions(stage=Stage(stage), door=door, categories=asked, rules=tuple(rules)))
    return tuple(compiled)

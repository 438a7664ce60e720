"""What is wrong with a pack that loads: rules that never fire, terms that nobody asks for, grounds that are missing.

A mistake that changes what a pack means is a *warning*; what merely could be better is a *note*. What does not load is
not a matter of taste: the loader raises.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from sdsafe._internal.text.normalize import fold
from sdsafe.core.decisions import Effect
from sdsafe.core.findings import Stage
from sdsafe.core.request import Task
from sdsafe.errors import ConfigurationError
from sdsafe.gates.policy.cases import run_cases
from sdsafe.gates.policy.cel import Door, facts_named
from sdsafe.gates.policy.facts import category_of, declared
from sdsafe.gates.policy.lexicon import Entry, Lexicon
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.policy.signing import load_pack
from sdsafe.gates.policy.terms import SharedTerms
from sdsafe.gates.policy.truth import Truth, truth_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sdsafe.core.decisions import PolicyRef
    from sdsafe.gates.policy.cases import CaseResult, Licences
    from sdsafe.gates.policy.loader import LoadedPack
    from sdsafe.gates.policy.model import Rule, TermList

__all__ = ["Level", "LintReport", "Problem", "lint_pack"]

_ENOUGH_CASES = 20
_FEW_WORDS = 3
_MOST_TERMS = 200_000  # compared with each other; a longer list takes its time and says little
_SHOWN = 5
_VOCABULARY: Mapping[str, tuple[str, ...]] = {
    "use.kind": ("private", "internal", "commercial", "marketplace"),
    "request.task": tuple(task.value for task in Task),
    "licence.commercial": ("allowed", "conditional", "forbidden", "unknown"),
    "licence.outputs_commercial": ("allowed", "unstated", "disputed", "forbidden"),
    "licence.verified": ("primary", "secondary", "memory"),
}
"""Texts that take no other value: a comparison with another is never true."""


class Level(IntEnum):
    """How much a problem matters."""

    NOTE = 0
    """Could be better."""
    WARNING = 1
    """Does not mean what it seems to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to look at."""

    level: Level
    code: str
    """Stable, such as ``never-fires``."""
    where: str
    """File, and what in it: ``house/policy.yaml: rules[2] no-rain``."""
    says: str
    line: int | None = None
    """Line of the file, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """What lint saw in one pack."""

    policy: PolicyRef
    problems: tuple[Problem, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing but notes was seen."""
        return all(problem.level is Level.NOTE for problem in self.problems)


def lint_pack(path: Path, *, licences: Licences | None = None) -> LintReport:
    """Return what there is to say about the pack in the folder (or file) ``path``.

    Args:
        path: Where it lies.
        licences: Answers the facts about licences of a case's model; without it they are missing.

    Raises:
        PolicyFormatError: It does not load; the message names file, key path, expected and found.
        ConfigurationError: It is not there.
    """
    loaded = load_pack(path)
    linter = _Linter(loaded, path, licences)
    return LintReport(policy=loaded.ref, problems=tuple(sorted(linter.problems(), key=lambda each: -each.level)))


class _Linter:
    """One pack under inspection."""

    def __init__(self, loaded: LoadedPack, path: Path, licences: Licences | None) -> None:
        self._loaded = loaded
        self._pack = loaded.pack
        self._licences = licences
        self._path = path.absolute()
        self._file = f"{loaded.folder.name}/policy.yaml" if path.is_dir() else path.name
        source = loaded.folder / "policy.yaml" if path.is_dir() else path
        self._lines = source.read_text(encoding="utf-8-sig").splitlines()

    def problems(self) -> Iterator[Problem]:
        for index, rule in enumerate(self._pack.rules):
            yield from self._rule(index, rule)
        yield from self._repeated()
        yield from self._categories()
        yield from self._terms()
        yield from self._folder()
        yield from self._cases()

    def _rule(self, index: int, rule: Rule) -> Iterator[Problem]:
        truth = self._truth(rule)
        if truth is Truth.NEVER:
            yield self._of_rule(index, rule, Level.WARNING, "never-fires", "nothing makes what it asks true")
        if truth is Truth.ALWAYS and rule.when.strip() != "true" and Effect.parse(rule.effect) >= Effect.REVIEW:
            yield self._of_rule(index, rule, Level.WARNING, "always-fires", f"whatever happens, it says {rule.effect}")
        if rule.effect == "allow" and not rule.obligations:
            says = "it allows and obliges to nothing, which changes no decision: the most severe effect wins"
            yield self._of_rule(index, rule, Level.NOTE, "no-effect", says)
        if rule.effect in {"deny", "review"} and (
            len(rule.because.split()) < _FEW_WORDS or fold(rule.because) in {fold(rule.id), fold(self._pack.title)}
        ):
            says = f"whoever is refused reads only {rule.because!a}: say why, in a sentence"
            yield self._of_rule(index, rule, Level.WARNING, "thin-because", says)
        if not rule.citation and not rule.sources and (rule.effect == "deny" or rule.obligations):
            yield self._of_rule(index, rule, Level.NOTE, "no-citation", "nothing says where it comes from")
        if rule.on_error == "review" and Effect.parse(rule.effect) < Effect.REVIEW:
            says = "a fact that is missing is treated more severely than one that is there; is on_error what you mean?"
            yield self._of_rule(index, rule, Level.NOTE, "severe-on-error", says)

    def _truth(self, rule: Rule) -> Truth:
        every = declared(Stage(rule.stage), self._loaded.categories)
        types = {name: every[name] for name in facts_named(rule.when, every)}
        door = Door(types)
        condition = door.compile(rule.when)
        return truth_of(rule.when, types, lambda facts: condition.ask(door.activate(facts)), _VOCABULARY)

    def _repeated(self) -> Iterator[Problem]:
        """Yield rules that another rule makes superfluous: it asks the same at the same stage and is as severe."""
        for index, rule in enumerate(self._pack.rules):
            for other in self._pack.rules:
                same = (other.stage, _squeezed(other.when)) == (rule.stage, _squeezed(rule.when)) and other is not rule
                weaker = Effect.parse(rule.effect) < Effect.parse(other.effect)
                if same and weaker and all(duty in other.obligations for duty in rule.obligations):
                    says = f"{other.id} asks the same and says {other.effect}, so that this one never decides"
                    yield self._of_rule(index, rule, Level.WARNING, "never-decides", says)
                    break

    def _categories(self) -> Iterator[Problem]:
        if not self._pack.rules:
            return  # a pack of terms alone is there for the rules of others
        asked = {
            about[0]
            for each in load_policies([str(self._path)]).packs
            for conditions in each.conditions
            for _, condition in conditions.rules
            for fact in condition.names
            if (about := category_of(fact)) is not None
        }
        for index, listed in enumerate(self._pack.terms):
            if listed.category not in asked:
                says = (
                    f"{len(listed.spellings()):,} terms of {listed.category} are looked for, and no rule asks for them"
                )
                yield self._at(f"terms[{index}]", Level.WARNING, "nobody-asks", says, f"category: {listed.category}")
        for name in self._pack.categories:
            if name not in asked:
                says = f"{name} is declared, and no rule asks for it"
                yield self._at(f"categories.{name}", Level.WARNING, "nobody-asks", says, f"{name}:")

    def _terms(self) -> Iterator[Problem]:
        own = [(i, listed) for i, listed in enumerate(self._pack.terms) if not isinstance(listed, SharedTerms)]
        for category in dict.fromkeys(listed.category for _, listed in own):
            lists = [(i, listed) for i, listed in own if listed.category == category]
            if sum(len(listed.spellings()) for _, listed in lists) <= _MOST_TERMS:
                yield from self._twice(lists)
                yield from self._swallowed(category, lists)

    def _twice(self, lists: list[tuple[int, TermList]]) -> Iterator[Problem]:
        counts = Counter(fold(text) for _, listed in lists for text in listed.spellings())
        twice = [text for text, count in counts.items() if count > 1]
        if twice:
            says = f"listed more than once: {_some(twice)}"
            yield self._at(f"terms[{lists[0][0]}]", Level.WARNING, "listed-twice", says, None)

    def _swallowed(self, category: str, lists: list[tuple[int, TermList]]) -> Iterator[Problem]:
        """Yield terms in which a shorter one of the same list is always found as well."""
        entries = {
            fold(text): Entry(text, category, "", listed.match == "substring")
            for _, listed in lists
            for text in listed.spellings()
        }
        lexicon = Lexicon(entries.values())
        needless = []
        for folded, entry in entries.items():
            other = next((hit.entry for hit in lexicon.find(entry.term) if fold(hit.entry.term) != folded), None)
            if other is not None:
                needless.append(f"{entry.term} (in it: {other.term})")
        if needless:
            says = f"a shorter term of {category} is found in each of these anyway: {_some(needless)}"
            yield self._at(f"terms[{lists[0][0]}]", Level.NOTE, "swallowed", says, f"category: {category}")

    def _folder(self) -> Iterator[Problem]:
        if not self._path.is_dir():
            says = "a pack in a single file has no place for cases, NOTICE and signature"
            yield Problem(level=Level.WARNING, code="no-folder", where=self._file, says=says)
            return
        notice = self._path / "NOTICE"
        if not (notice.is_file() and notice.read_bytes().strip()):
            says = "nothing says where terms and grounds come from"
            yield Problem(level=Level.NOTE, code="no-notice", where=f"{self._path.name}/NOTICE", says=says)

    def _cases(self) -> Iterator[Problem]:
        if not self._path.is_dir():
            return
        where = f"{self._path.name}/cases.yaml"
        if not (self._path / "cases.yaml").is_file():
            yield Problem(level=Level.WARNING, code="no-cases", where=where, says="nothing shows that the pack works")
            return
        try:
            results = run_cases(str(self._path), licences=self._licences)
        except ConfigurationError as error:
            if error.code != "policy.none":
                raise
            return  # terms alone are tested with the pack that asks for them
        for result in results:
            if result.problem:
                at = f"{where}: cases[{result.index}]"
                yield Problem(level=Level.WARNING, code="case-fails", where=at, says=result.problem)
        yield from self._covered(where, results)

    def _covered(self, where: str, results: tuple[CaseResult, ...]) -> Iterator[Problem]:
        if len(results) < _ENOUGH_CASES:
            says = f"{len(results)} cases; {_ENOUGH_CASES} show more"
            yield Problem(level=Level.NOTE, code="few-cases", where=where, says=says)
        passing = [Effect.parse(result.case.expect) < Effect.REVIEW for result in results]
        if all(passing) or not any(passing):
            says = f"every case is {'let through' if all(passing) else 'stopped'}; show the other way too"
            yield Problem(level=Level.WARNING, code="one-sided-cases", where=where, says=says)
        fired = {rule.rule for result in results for rule in result.decision.fired if rule.policy == self._pack.id}
        for index, rule in enumerate(self._pack.rules):
            if rule.id not in fired:
                yield self._of_rule(index, rule, Level.WARNING, "untested", "no case makes it fire")

    def _of_rule(self, index: int, rule: Rule, level: Level, code: str, says: str) -> Problem:
        return self._at(f"rules[{index}] {rule.id}", level, code, says, f"id: {rule.id}")

    def _at(self, key: str, level: Level, code: str, says: str, written: str | None) -> Problem:
        return Problem(level=level, code=code, where=f"{self._file}: {key}", says=says, line=self._line(written))

    def _line(self, written: str | None) -> int | None:
        if written is None:
            return None
        pattern = re.compile(rf"(^|[\s{{,-]){re.escape(written)}($|[\s,}}])")
        return next((number for number, line in enumerate(self._lines, 1) if pattern.search(line)), None)


def _squeezed(expression: str) -> str:
    return re.sub(r"\s+", "", expression)


def _some(names: list[str]) -> str:
    shown = ", ".join(ascii(each) if not each.isprintable() else each for each in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"

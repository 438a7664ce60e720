"""The one door to CEL, the Common Expression Language: conditions in, *true*, *false* or *unknown* out.

Every fact is declared by its dotted name and type, and only what is declared compiles: a misspelt field, a comparison
of unlike types, or an expression that is not a condition is refused when a pack loads. A fact that is missing at run
time is an error of the expression, as is every other mishap; CEL's own logic decides what an error does inside ``&&``
and ``||`` (https://github.com/google/cel-spec/blob/master/doc/langdef.md). Here an error is *unknown*, never false,
and whatever is not exactly a boolean is an error: the library gives errors as values that are true in Python.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sdsafe.errors import MissingExtraError
from sdsafe.gates.policy._checked import read_checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sdsafe.gates.policy._checked import Checked

__all__ = ["MAX_EXPRESSION", "Condition", "ConditionError", "Door", "facts_named"]

MAX_EXPRESSION: Final = 2000
"""Characters of the longest condition."""

_KNOWN = "known__"
_TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'")
_PATH = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*")
_HAS = re.compile(r"(?<![\w.])has\s*\(\s*([A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)+)\s*\)")
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_UNREADABLE = re.compile(r"[\0\ud800-\udfff]")
_LOOPS = {"exists", "all"}
_REFUSED = {"map", "filter", "exists_one", "matches"}  # what could run long
# Everything else that the library knows is refused with its types: what makes a double that is no number (which
# compares as false), what compares unlike things, what knows dates.
_ALLOWED = frozenset(
    {"logical_and", "logical_or", "logical_not", "conditional", "not_strictly_false", "equals", "not_equals"}
    | {
        f"{order}_{kind}"
        for order in ("less", "less_equals", "greater", "greater_equals")
        for kind in ("bool", "int64", "double", "string")
    }
    | {f"{sum_}_{kind}" for sum_ in ("add", "subtract", "negate") for kind in ("int64", "double")}
    | {"multiply_int64", "divide_int64", "modulo_int64", "int64_to_double", "add_string", "in_list", "index_list"}
    | {"size_string", "string_size", "size_list", "list_size"}
    | {"contains_string", "starts_with_string", "ends_with_string"}
)
_WORDS = (
    "&& || ! ?: == != < <= > >= + - in has size contains startsWith endsWith exists all, and * / % of whole numbers"
)
_TYPES = frozenset(name for kind in ("bool", "int", "double", "string") for name in (kind, f"list({kind})"))
# Texts of other forms end elsewhere than ``_TEXT`` thinks, and what stands in a comment is no part of the condition.
_OTHER_TEXT = re.compile(r"\w\"\"|\"\"\"\"|'|\\|//")
_MAX_LOOPS = 2
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '([^']*)'")


class ConditionError(ValueError):
    """An expression that is no condition over the declared facts: what was expected, and what was found."""

    def __init__(self, expected: str, found: str) -> None:
        """Keep both."""
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition, and the facts that it names."""

    names: tuple[str, ...]
    _expression: Any
    _boolean: Any

    def ask(self, activation: Any) -> bool | None:
        """Return whether the condition holds; None where it cannot be said."""
        try:
            answer = self._expression.eval(activation)
        except (RuntimeError, TypeError, ValueError):  # the library could not make a value of a fact
            return None
        if answer.type() != self._boolean:
            return None
        value = answer.value()
        return value if isinstance(value, bool) else None


class Door:
    """CEL over one set of declared facts."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        """Declare facts.

        Args:
            facts: Dotted name to type: ``bool``, ``int``, ``double``, ``string`` or ``list`` (of strings).

        Raises:
            MissingExtraError: CEL is not installed.
        """
        self._cel = _library()
        kinds = self._cel.Type
        types = {
            "bool": kinds.BOOL,
            "int": kinds.INT,
            "double": kinds.DOUBLE,
            "string": kinds.STRING,
            "list": kinds.List(kinds.STRING),
        }
        self._facts = dict(facts)
        self._asked: dict[str, str] = {}
        variables = {name: types[kind] for name, kind in facts.items()}
        variables |= {f"{_KNOWN}.{name}": kinds.BOOL for name in facts}
        self._environment = self._cel.NewEnv(variables=variables)

    def compile(self, expression: str) -> Condition:
        """Return the condition.

        Raises:
            ConditionError: It names what is not declared, compares unlike types, is not a condition, is too long, or
                asks nothing and is not the word ``true``.
        """
        bare = _TEXT.sub('""', expression)
        _require_modest(expression, bare)
        names = facts_named(expression, self._facts)
        try:
            compiled = self._environment.compile(_known(expression))
        except RuntimeError as error:
            raise self._explained(str(error)) from None
        except TypeError:
            raise ConditionError("text", "characters that no text may hold") from None
        if not names and expression.strip() != "true":
            raise ConditionError("a condition that asks about a fact, or the word true", repr(expression[:60]))
        if compiled.return_type() != self._cel.Type.BOOL:
            raise ConditionError(
                "a condition, which is true or false", f"a value of type {compiled.return_type().name()}"
            )
        _require_plain(read_checked(compiled.serialize()), names, self._facts)
        self._asked |= {name: f"{_KNOWN}.{name}" for name in names}
        return Condition(names, compiled, self._cel.Type.BOOL)

    def activate(self, facts: Mapping[str, object], *, coming: Callable[[str], bool] | None = None) -> Any:
        """Return what the conditions that were compiled so far can be asked about.

        Args:
            facts: What is known, by name.
            coming: Says of a fact that is missing whether it may become known: then ``has`` of it is unknown too.
        """
        given: dict[str, object] = {}
        for name, flag in self._asked.items():  # an activation costs by what it holds: only what is asked for goes in
            if name not in facts:
                if coming is None or not coming(name):
                    given[flag] = False
            elif _fits(value := facts[name], self._facts[name]):
                given[flag] = True
                given[name] = list(value) if isinstance(value, tuple) else value
        return self._environment.Activation(given)

    def _explained(self, message: str) -> ConditionError:
        if match := _UNDECLARED.search(message):
            found = match.group(1).removeprefix(f"{_KNOWN}.").removeprefix(".")
            near = difflib.get_close_matches(found, self._facts, n=1, cutoff=0.6)
            guess = f" (did you mean {near[0]}?)" if near else f" ({', '.join(_roots(self._facts))})"
            return ConditionError(f"a fact that is known at this stage{guess}", repr(found))
        if match := _OVERLOAD.search(message):
            hint = "; write a whole number beside a double as 1.0" if "double, int" in match.group(2) else ""
            return ConditionError(
                f"operands that fit together{hint}", f"{match.group(1).strip('_')} of {match.group(2)}"
            )
        first = message.splitlines()[0].split("<input>:")[-1]
        return ConditionError("a condition in CEL", first[:200])


def facts_named(expression: str, facts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the declared facts that an expression names, each once, in order."""
    found = []
    for match in _PATH.finditer(_TEXT.sub('""', expression)):
        parts = re.sub(r"\s", "", match.group()).split(".")
        name = next((path for end in range(len(parts), 0, -1) if (path := ".".join(parts[:end])) in facts), None)
        if name is not None:
            found.append(name)
    return tuple(dict.fromkeys(found))


def _require_modest(expression: str, bare: str) -> None:
    """Refuse what could run long, and what stands for something else here."""
    if len(expression) > MAX_EXPRESSION:
        raise ConditionError(f"at most {MAX_EXPRESSION} characters", f"{len(expression)}")
    calls = _CALL.findall(bare)
    refused = sorted(_REFUSED & set(calls))
    if refused:
        raise ConditionError(f"a condition without {', '.join(sorted(_REFUSED))}", refused[0])
    if _OTHER_TEXT.search(bare):
        raise ConditionError("texts in plain quotes, and no comment", repr(expression[:60]))
    if sum(call in _LOOPS for call in calls) > _MAX_LOOPS:
        raise ConditionError(f"at most {_MAX_LOOPS} of exists and all", f"{sum(call in _LOOPS for call in calls)}")
    if _KNOWN in bare:
        raise ConditionError("has(FACT)", _KNOWN)
    if re.search(r"(?<![\w.])has\s*\(", _HAS.sub("", bare)):
        raise ConditionError("has() around the name of one fact", "has() around something else")


def _require_plain(checked: Checked, names: tuple[str, ...], facts: Mapping[str, str]) -> None:
    """Refuse functions and types that are not known to be harmless, and facts that are read in some hidden way."""
    if other := sorted(checked.overloads - _ALLOWED):
        raise ConditionError(f"nothing but {_WORDS}", other[0])
    if not checked.types <= _TYPES:
        raise ConditionError(
            "truth values, numbers, texts, and lists of one of them", "a value or list of another type"
        )
    read = {name.removeprefix(f"{_KNOWN}.") for name in checked.names}
    if hidden := sorted((read & facts.keys()) - set(names)):
        raise ConditionError("facts by their plain names", hidden[0])


def _fits(value: object, kind: str) -> bool:
    """Say whether a value can be handed over; of what cannot be, not even ``has`` is answered."""
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
        case "double":
            return _fits(value, "int") or (isinstance(value, float) and math.isfinite(value))
        case "list":
            return isinstance(value, list | tuple) and all(_fits(each, "string") for each in value)
        case _:
            # The library reads a text up to its first NUL, and cannot read half of a surrogate pair at all.
            return isinstance(value, str) and not _UNREADABLE.search(value)


def _known(expression: str) -> str:
    """Rewrite ``has(FACT)``: facts are flat names to the library, and flat names have no fields to ask for."""
    pieces, last = [], 0
    for match in _TEXT.finditer(expression):
        pieces += [_HAS.sub(rf"{_KNOWN}.\1", expression[last : match.start()]), match.group()]
        last = match.end()
    return "".join([*pieces, _HAS.sub(rf"{_KNOWN}.\1", expression[last:])])


def _roots(facts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in facts))


def _library() -> Any:
    try:
        from cel_expr_python import cel
    except ImportError as missing:
        raise MissingExtraError("policy rules", extra="policy", detail="no cel_expr_python") from missing
    return cel

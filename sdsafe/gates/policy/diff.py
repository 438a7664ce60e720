"""Which decisions change between two sets of packs, over prompts that somebody knows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sdsafe.core.decisions import unite
from sdsafe.core.findings import Stage
from sdsafe.core.request import TEXT_FIELDS
from sdsafe.errors import RequestError
from sdsafe.gates.guard import run_prompt_check
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.judge import PackPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sdsafe.core.context import JudgementContext
    from sdsafe.core.decisions import Decision
    from sdsafe.core.request import GenerationRequest
    from sdsafe.gates.policy.loader import LoadedPolicies

__all__ = ["Comparison", "Prompt", "compare", "read_prompts"]

_MAX_BYTES = 256_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The texts of one request, and the line they stand in."""

    line: int
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two sets of packs say of one prompt."""

    prompt: Prompt
    before: Decision
    after: Decision

    @property
    def changed(self) -> bool:
        """Whether the effect differs, or what it obliges to."""
        return self.before.effect != self.after.effect or _duties(self.before) != _duties(self.after)

    @property
    def gained(self) -> tuple[str, ...]:
        """Rules that fire only afterwards, as ``PACK.RULE``."""
        return tuple(name for name in _rules(self.after) if name not in _rules(self.before))

    @property
    def lost(self) -> tuple[str, ...]:
        """Rules that fire only before."""
        return tuple(name for name in _rules(self.before) if name not in _rules(self.after))


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Return the prompts in a file: one a line, or in a ``.jsonl`` file one object of text fields a line.

    Empty lines do not count.

    Raises:
        RequestError: The file cannot be read, is empty, or a line is no such object; the message names the line.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RequestError(f"{path.name}: larger than {_MAX_BYTES >> 20} MiB", code="policy.prompts")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(
            f"{path.name}: cannot be read: {error.strerror or type(error).__name__}", code="policy.prompts"
        ) from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path.name}: not UTF-8 at byte {error.start}", code="policy.prompts") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise RequestError(f"{path.name}: holds no prompt", code="policy.prompts", hint="Write one prompt a line.")
    if path.suffix == ".jsonl":
        return tuple(Prompt(line=number, texts=_fields(line, f"{path.name}, line {number}")) for number, line in lines)
    return tuple(Prompt(line=number, texts=(("prompt", line.rstrip("\r")),)) for number, line in lines)


def compare(
    before: LoadedPolicies, after: LoadedPolicies, prompts: Iterable[Prompt], context: JudgementContext
) -> Iterator[Comparison]:
    """Yield what both say of each prompt, in order.

    Args:
        before: One set of packs.
        after: The other.
        prompts: What ``read_prompts`` returned.
        context: Everything else that is known of the request; its texts are replaced.
    """
    old, new = _Trial(before), _Trial(after)
    for prompt in prompts:
        asked = replace(context, request=_request(context.request, prompt))
        yield Comparison(prompt=prompt, before=old.decide(asked), after=new.decide(asked))


class _Trial:
    """Packs with their own term check, asked what they say before anything is generated."""

    def __init__(self, loaded: LoadedPolicies) -> None:
        self._policy = PackPolicy(loaded)
        self._check = LexiconCheck(loaded)

    def decide(self, context: JudgementContext) -> Decision:
        results = [run_prompt_check(self._check, context.request)]
        judged = self._policy.judge(Stage.PROMPT, context, results)
        return unite(
            [judged, *(self._policy.preview(later, context, results) for later in (Stage.OUTPUT, Stage.EXPORT))]
        )


def _fields(line: str, where: str) -> tuple[tuple[str, str], ...]:
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "too deep"
        raise RequestError(f"{where}: not JSON: {reason}", code="policy.prompts") from error
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) for text in value.values()):
        raise RequestError(f"{where}: expected an object of texts", code="policy.prompts")
    if unknown := sorted(set(value) - set(TEXT_FIELDS)):
        raise RequestError(
            f"{where}: no text field {unknown[0][:40]!r}",
            code="policy.prompts",
            hint=f"Known: {', '.join(TEXT_FIELDS)}.",
        )
    return tuple(value.items())


def _request(request: GenerationRequest, prompt: Prompt) -> GenerationRequest:
    texts = dict(prompt.texts)
    return replace(
        request,
        prompt=texts.get("prompt", ""),
        prompt_2=texts.get("prompt_2"),
        prompt_3=texts.get("prompt_3"),
        negative_prompt=texts.get("negative_prompt"),
    )


def _rules(decision: Decision) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{rule.policy}.{rule.rule}" for rule in decision.fired))


def _duties(decision: Decision) -> list[str]:
    return sorted(f"{duty.code} {sorted(duty.params.items())}" for duty in decision.obligations)

"""What policy obliges to, as it will be done: planned before generation, shown on the finished file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdsafe.core.decisions import FiredRule, Obligation
    from sdsafe.core.request import PromptDisclosure

__all__ = ["AigcProvider", "Demand", "Label", "Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Words that are drawn into the picture."""

    text: str
    corner: str
    """One of ``core.obligations.CORNERS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AigcProvider:
    """Who provides the generating service, as China's implicit label names it."""

    name: str
    code: str

    @property
    def stated(self) -> str:
        """What ``ContentProducer`` says: the code, else the name."""
        return self.code or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One obligation, and every rule that brought it."""

    obligation: Obligation
    rules: tuple[FiredRule, ...]

    @property
    def by(self) -> str:
        """Pack and rule, as messages name them."""
        return ", ".join(dict.fromkeys(f"{rule.policy}/{rule.rule}" for rule in self.rules)) or "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be done so that every obligation can be shown to be met. One that exists can be carried out."""

    demands: tuple[Demand, ...]
    disclosure: PromptDisclosure
    """How much of the prompt the manifest will show."""
    labels: tuple[Label, ...] = ()
    """What is drawn into the picture before it is marked."""
    source_type: bool = False
    """Whether the file's metadata name the digital source type."""
    aigc: AigcProvider | None = None
    attributions: tuple[str, ...] = ()
    blur: str | None = None
    """One of ``core.obligations.AREAS``; None: nothing is hidden."""
    people: int = 0
    """How many people have to approve the picture; 0: it need not wait for anybody."""
    roles: tuple[str, ...] = ()
    """Whose approval counts; empty: anybody's."""

    @property
    def writes_metadata(self) -> bool:
        """Whether the file carries metadata besides its manifest."""
        return self.source_type or self.aigc is not None or bool(self.attributions)

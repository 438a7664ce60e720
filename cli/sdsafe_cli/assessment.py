"""What licences say, for people: verdict, reasons with their clauses, duties, and each source once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from sdsafe_cli.lines import rows

if TYPE_CHECKING:
    from sdsafe.gates.registry.assessment import Assessment, DutyDue

__all__ = ["print_assessment"]

_SOURCED = re.compile(r"(?P<says>.*?) \((?P<source>[^()]*, accessed [^()]*)\)")


class _Sources:
    """Numbers for sources, so that a long one is printed once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def short(self, citation: str) -> str:
        """Return the citation with its source as a number in brackets; as it is, where it has none."""
        parts = []
        for part in citation.split("; "):
            match = _SOURCED.fullmatch(part)
            if match is None:
                return citation
            number = self._numbers.setdefault(match["source"], len(self._numbers) + 1)
            parts.append(f"{match['says']} [{number}]")
        return "; ".join(parts)

    def listed(self) -> list[tuple[str, str]]:
        return [(f"[{number}]", source) for source, number in self._numbers.items()]


def print_assessment(model: str, use: str | None, assessment: Assessment) -> None:
    """Print an assessment of ``model`` for ``use`` on standard output."""
    sources = _Sources()
    click.echo(f"{model}, {use or 'use not declared'}: {assessment.effect.label}")
    if assessment.reasons:
        click.echo("\nreasons")
    rows(
        (each.effect.label, f"{each.says} [{each.code}]\n{sources.short(each.citation)}".rstrip())
        for each in assessment.reasons
    )
    for release, title in ((True, "duties that the finished file has to show"), (False, "duties that people see to")):
        due = [each for each in assessment.duties if each.release is release]
        if due:
            click.echo(f"\n{title}")
            rows((each.obligation.code, f"{_says(each)}\n{sources.short(each.citation)}") for each in due)
    if listed := sources.listed():
        click.echo("\nsources")
        rows(listed)


_ENFORCED = {
    "automatic": "not to be used for (a built-in check sees part of it)",
    "attested": "not to be used for (what somebody vouches for counts)",
    "none": "not to be used for (no check sees it)",
}


def _says(duty: DutyDue) -> str:
    """Return what a duty says; a list of restrictions as a list that says who watches."""
    head, found, rest = duty.says.partition("not to be used for: ")
    if not found or head:
        return duty.says
    title = _ENFORCED.get(str(duty.obligation.params.get("enforced")), "not to be used for")
    return "\n".join([f"{title}:", *(f"- {each}" for each in rest.split("; "))])

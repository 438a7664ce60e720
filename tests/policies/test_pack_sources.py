"""Every shipped pack can be checked by somebody who distrusts it: reasons, sources, dates, and how sure they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sdsafe.gates.policy.loader import available_packs, load_policies

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.gates.policy.model import Pack

OURS = ("openrail-m", "openrail-pp-m", "stability-community", "flux-dev", "enterprise-strict", "eu-code-of-practice",
        "us-ca-sb942", "cn-aigc", "adobe-stock", "123rf", "magnific", "dreamstime", "getty", "shutterstock", "alamy",
        "pond5", "depositphotos")  # fmt: skip

_DATE = re.compile(r"\b20\d\d-[01]\d(?:-[0-3]\d)?\b")
_REFUSES_ON_SECONDARY = {
    ("stability-community", "revenue-over-limit"),
    ("alamy", "ai-not-accepted"),
    ("pond5", "ai-not-accepted"),
    ("depositphotos", "ai-not-accepted"),
}
"""Each NOTICE says why what others quote refuses there."""


def _pack(name: str) -> Pack:
    return load_policies([name]).packs[-1].pack


def test_they_ship() -> None:
    assert set(OURS) <= set(available_packs())


@pytest.mark.parametrize("name", OURS)
def test_the_notice_says_where_from_when_read_and_how_sure(name: str) -> None:
    folder = load_policies([name]).packs[-1].folder
    notice = (folder / "NOTICE").read_text(encoding="utf-8")
    assert notice.startswith(f'Policy pack "{name}" of sdsafe.')
    assert "legal advice" in notice
    assert _DATE.search(notice)
    assert re.search(r"\b(primary|secondary)\b", notice) or name == "enterprise-strict"


@pytest.mark.parametrize("name", OURS)
def test_every_rule_cites_something(name: str) -> None:
    for rule in _pack(name).rules:
        assert rule.citation, rule.id
        if not rule.citation.startswith("House rule"):
            assert re.search(r"\b(primary|secondary|memory|yaml)\b", rule.citation), rule.id


@pytest.mark.parametrize("name", OURS)
def test_what_others_quote_does_not_refuse(name: str) -> None:
    for rule in _pack(name).rules:
        if rule.effect == "deny" and (name, rule.id) not in _REFUSES_ON_SECONDARY:
            assert "primary" in rule.citation or rule.citation.startswith("House rule") or "read by us" in rule.citation


@pytest.mark.parametrize("name", OURS)
def test_every_pack_builds_on_baseline(name: str) -> None:
    assert load_policies([name]).packs[0].pack.id == "baseline"


def test_every_pack_has_its_section_in_the_reference(repository_root: Path) -> None:
    page = (repository_root / "docs" / "reference" / "packs.md").read_text(encoding="utf-8")
    for name in OURS:
        assert f"\n### {name}\n" in page
        assert f"| `{name}` |" in page

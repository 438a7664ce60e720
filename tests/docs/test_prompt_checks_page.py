"""What the page on checks of prompts shows is what the code reads, and what it says of the lists is true."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sdsafe.gates.policy.exemplars import read_exemplars
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.policy.model import Term
from sdsafe.gates.policy.terms import read_shared, read_terms, shared_names

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "format: sdsafe.policy/1\nid: page\nversion: 1.0.0\ntitle: t\ndescription: d\nextends: [baseline]\n"


@pytest.fixture(scope="module")
def page(repository_root: Path) -> str:
    return (repository_root / "docs" / "concepts" / "prompt-checks.md").read_text(encoding="utf-8")


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_pack_snippets_load(page: str, tmp_path: Path) -> None:
    snippets = [block for block in _blocks(page, "yaml") if "sdsafe.exemplars" not in block]
    assert len(snippets) == 3
    for number, snippet in enumerate(snippets):
        folder = tmp_path / str(number) / "page"
        folder.mkdir(parents=True)
        (folder / "policy.yaml").write_text(HEAD + snippet, encoding="utf-8")
        (folder / "names.csv").write_text(*_blocks(page, "csv"), encoding="utf-8")
        assert load_policies(["page"], [folder.parent]).packs[-1].pack.id == "page"


def test_the_csv_is_read_as_it_looks(page: str, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text(*_blocks(page, "csv"), encoding="utf-8")
    assert read_terms(tmp_path / "names.csv", "names.csv", "x") == (
        Term(term="Ada Example", aliases=("A. Example", "Example Ada"), note="do not depict"),
        Term(term="Example, Inc.", note="trademark"),
    )


def test_the_exemplars_are_read(page: str, tmp_path: Path) -> None:
    (text,) = (block for block in _blocks(page, "yaml") if "sdsafe.exemplars" in block)
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    assert list(read_exemplars(tmp_path / "x.yaml").categories) == ["counterfeit_goods"]


def test_every_list_is_in_the_table_with_its_size(page: str) -> None:
    for name in shared_names():
        (row,) = (line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line)
        said = [int(number) for number in re.findall(r"\d+", row.split("|")[3])]
        listed = read_shared(name)
        size = len(listed.spellings()) if "spellings" in row else len(listed.terms)
        assert min(said) * 0.93 <= size <= max(said) * 1.07, (name, size)

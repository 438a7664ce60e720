"""The page about metadata says what the code does."""

from __future__ import annotations

import io
import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sdsafe.provenance.metadata.embedding import EMBEDDABLE
from sdsafe.provenance.metadata.model import Metadata
from sdsafe.provenance.metadata.properties import PROPERTIES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def page(repository_root: Path) -> str:
    return (repository_root / "docs/reference/metadata.md").read_text(encoding="utf-8")


def test_every_property_has_its_row(page: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([\w:]+)` \|", page, re.MULTILINE)
    assert rows == [(each.field, f"{each.prefix}:{each.name}") for each in PROPERTIES]
    assert {field for field, _ in rows} == {each.name for each in fields(Metadata)}


def test_every_format_is_listed(page: str) -> None:
    section = page.partition("## Where it stands")[2].partition("##")[0]
    names = re.findall(r"^\| (\w+) \|", section, re.MULTILINE)[1:]
    assert {f"image/{name.lower()}" for name in names} == EMBEDDABLE


def test_every_code_is_listed(page: str, repository_root: Path) -> None:
    sources = (repository_root / "sdsafe/provenance/metadata").glob("*.py")
    codes = {code for path in sources for code in re.findall(r'"(metadata\.[a-z.-]+)"', path.read_text())}
    assert len(codes) > 12
    missing = {code for code in codes if f"`{code}`" not in page and not code.startswith("metadata.container.")}
    assert missing == set()


def test_the_example_runs(page: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    exec(compile(code, "metadata.md", "exec"), {"picture": buffer.getvalue()})  # noqa: S102 - our own page

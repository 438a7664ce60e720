"""Guides are run as a reader would run them: files are written, commands are typed, and what they print is compared.

In a guide, a paragraph that names a file in backquotes and ends in a colon says that the next block is that file
(or belongs at its end, when it is there already). A line of a ``sh`` block may end in ``# exit N``. A ``text`` block
after a ``sh`` block is what its last command prints; ``...`` stands for anything.
"""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.findings import Stage
from sdsafe.gates.policy.facts import category_of, declared
from sdsafe.gates.policy.model import Rule
from sdsafe.settings import Settings
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
RUN = ("write-a-policy",)
_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_EXIT = re.compile(r"\s+# exit (\d+)$")
_NAMED = re.compile(r"`([\w./-]+\.(?:yaml|txt|csv))`(?=[^`]*:\s*\Z)")


@dataclass
class Block:
    kind: str
    body: str
    file: str | None
    after: str
    """Kind of the block directly before."""


def blocks(page: Path) -> Iterator[Block]:
    text, end, kind = page.read_text(encoding="utf-8"), 0, ""
    for match in _BLOCK.finditer(text):
        between = text[end : match.start()].strip()
        paragraph = between.rpartition("\n\n")[2].replace("\n", " ")
        named = _NAMED.search(paragraph)
        follows = kind if not between or between.count("\n\n") == 0 else ""
        yield Block(match["kind"], match["body"], named.group(1) if named else None, follows)
        end, kind = match.end(), match["kind"]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Return what types a line and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SDSAFE_HOME", str(tmp_path / "state"))
    for name in ("SDSAFE_CONFIG", "XDG_CONFIG_HOME", "SDSAFE_KEY_PASSWORD", "SDSAFE_USE"):
        monkeypatch.delenv(name, raising=False)

    def type_line(line: str) -> str:
        wanted = _EXIT.search(line)
        words = shlex.split(line[: wanted.start()] if wanted else line, comments=True)
        target = words[words.index(">") + 1] if ">" in words else None
        words = words[: words.index(">")] if target else words
        assert words[0] == "sdsafe", line
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end:
            run_sdsafe()
        captured = capsys.readouterr()
        assert int(end.value.code or 0) == (int(wanted.group(1)) if wanted else 0), f"{line}\n{captured}"
        if target:
            Path(target).write_text(captured.out, encoding="utf-8")
        return captured.out

    return type_line


def test_the_policy_guide_names_every_fact_and_key() -> None:
    page = (GUIDES / "write-a-policy.md").read_text(encoding="utf-8")
    facts = [
        name for name in declared(Stage.EXPORT, {}) if category_of(name) is None and name.split(".")[0] != "licence"
    ]
    missing = [name for name in facts if f"`{name}`" not in page and f"`.{name.split('.')[1]}`" not in page]
    missing += [key for key in Rule.model_fields if f"`{key}`" not in page]
    assert missing == []


def expected(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text.strip()).replace(re.escape("..."), r".*?"), re.DOTALL)


@pytest.mark.parametrize("name", RUN)
def test_a_reader_gets_what_the_guide_shows(name: str, tmp_path: Path, shell: Callable[[str], str]) -> None:
    page = GUIDES / f"{name}.md"
    printed = ""
    ran = 0
    for block in blocks(page):
        if block.file is not None:
            path = tmp_path / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as stream:
                stream.write(("\n" if path.stat().st_size else "") + block.body)
        elif block.kind == "sh":
            for line in block.body.strip().splitlines():
                printed = shell(line)
                ran += 1
        elif block.kind == "toml":
            assert set(tomllib.loads(block.body)) <= set(Settings.__dataclass_fields__)
        elif block.kind == "text":
            assert block.after == "sh", f"{page.name}: output of what? {block.body[:60]!r}"
            assert expected(block.body).fullmatch(printed.strip()), f"shown:\n{block.body}\nprinted:\n{printed}"
    assert ran

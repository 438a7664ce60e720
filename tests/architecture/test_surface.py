"""What drifts when nobody looks: public names, help lines, README commands, the index of decisions."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import sdsafe
from sdsafe import errors
from sdsafe_cli import main as cli

if TYPE_CHECKING:
    from pathlib import Path


def test_every_public_name_resolves() -> None:
    for name in sdsafe.__all__:
        assert getattr(sdsafe, name) is not None


def test_the_facade_and_its_type_stub_agree(repository_root: Path) -> None:
    text = (repository_root / "sdsafe" / "__init__.py").read_text(encoding="utf-8")
    declared = set(re.findall(r"^    from \S+ import (\w+) as \1$", text, re.MULTILINE))
    assert declared == set(sdsafe.__all__) - {"__version__"}


def test_every_error_is_in_the_tree_and_documented() -> None:
    kinds = {k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.SdsafeError)}
    assert {kind.__name__ for kind in kinds} == set(errors.__all__)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


def test_every_command_in_the_table_exists_and_says_what_its_help_line_says() -> None:
    for name, entry in cli._TABLE.items():
        command = import_module(f"sdsafe_cli.commands.{entry.module}").command
        assert command.name == name
        assert command.help


def test_there_is_no_command_module_outside_the_table(repository_root: Path) -> None:
    folder = repository_root / "cli/sdsafe_cli/commands"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules == {entry.module for entry in cli._TABLE.values()}


def test_readme_names_exactly_two_set_up_commands(repository_root: Path) -> None:
    text = (repository_root / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## Set up\n.*?```sh\n(.*?)```", text, re.DOTALL)
    assert block is not None
    commands = [line.split("#")[0].strip() for line in block.group(1).strip().splitlines()]
    assert commands == ["make demo", "make test"]


def test_every_sdsafe_command_in_readme_and_docs_exists(repository_root: Path) -> None:
    pages = [repository_root / "README.md", *(repository_root / "docs").rglob("*.md")]
    for page in pages:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for command in re.findall(r"^(?:\$ )?sdsafe (\S+)", block, re.MULTILINE):
                assert command in cli._TABLE or command.startswith("-"), f"{page.name}: sdsafe {command}"


def test_the_decision_index_lists_every_decision(repository_root: Path) -> None:
    folder = repository_root / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for page in sorted(folder.glob("0*.md")):
        number, title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(": ", 1)
        assert f"| [{number}]({page.name}) | {title} |" in index


def test_links_inside_the_docs_lead_somewhere(repository_root: Path) -> None:
    pages = [*repository_root.glob("*.md"), *(repository_root / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.relative_to(repository_root)}: {target}"


def test_printed_pages_are_what_the_code_prints(repository_root: Path) -> None:
    result = subprocess.run(
        [sys.executable, "docs/build.py", "--check"], cwd=repository_root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout

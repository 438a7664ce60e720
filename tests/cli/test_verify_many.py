"""``sdsafe verify`` of folders and lists of files: nothing is left out silently, and the worst file decides."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sdsafe.api import open_validator
from sdsafe.core.trust import Require
from sdsafe.settings import Settings
from sdsafe_cli._errors import Exit
from sdsafe_cli.batch import exit_code, files_below, show_rows, verified

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.verification import Validator


@pytest.fixture
def folder(tmp_path: Path, signed_png: Path) -> Path:
    """A valid picture, a stripped one in a folder below, a cut one, and a text."""
    made = tmp_path / "pictures"
    (made / "below").mkdir(parents=True)
    shutil.copy(signed_png, made / "valid.png")
    Image.open(signed_png).save(made / "below" / "stripped.png")
    (made / "cut.png").write_bytes(signed_png.read_bytes()[:1500])
    (made / "notes.txt").write_text("not a picture", encoding="utf-8")
    return made


@pytest.fixture
def validator(tmp_path: Path) -> Validator:
    return open_validator(Settings.load({"HOME": str(tmp_path)}, site=tmp_path / "none.toml"))


def test_a_folder_gives_a_row_per_picture_in_order(folder: Path, validator: Validator) -> None:
    rows = list(verified(files_below([folder]), validator, named=frozenset([folder])))
    assert [(row.path.name, row.word) for row in rows] == [
        ("cut.png", "invalid"),
        ("valid.png", "valid"),
        ("stripped.png", "unknown"),
    ]


def test_what_is_named_is_never_left_out(folder: Path, validator: Validator) -> None:
    named = [folder / "notes.txt", folder / "missing.png"]
    rows = list(verified(files_below(named), validator, named=frozenset(named)))
    assert [row.word for row in rows] == ["unreadable", "unreadable"]
    assert [row.error.code for row in rows if row.error] == ["asset.not-an-image", "asset.unreadable"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["valid.png"], Exit.OK),
        (["valid.png", "below/stripped.png"], Exit.NOT_SHOWN),
        (["valid.png", "notes.txt", "below/stripped.png"], Exit.FAULT),
        (["valid.png", "notes.txt", "below/stripped.png", "cut.png"], Exit.INVALID),
        ([], Exit.NOT_SHOWN),
    ],
    ids=["valid", "stripped", "no picture", "cut", "nothing"],
)
def test_the_worst_file_decides(folder: Path, validator: Validator, names: list[str], expected: Exit) -> None:
    paths = [folder / name for name in names]
    assert exit_code(list(verified(paths, validator, named=frozenset(paths)))) is expected


def test_what_is_required_holds_for_every_file(folder: Path, tmp_path: Path) -> None:
    strict = open_validator(
        Settings.load({"HOME": str(tmp_path)}, site=tmp_path / "none.toml"), require=Require.TRUSTED
    )
    paths = [folder / "valid.png"]
    assert exit_code(list(verified(paths, strict, named=frozenset()))) is Exit.NOT_SHOWN


def test_lines_are_reports_with_the_file_and_whether_it_is_accepted(
    folder: Path, validator: Validator, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [folder / "valid.png", folder / "notes.txt"]
    rows = show_rows(verified(paths, validator, named=frozenset(paths)), as_lines=True)
    captured = capsys.readouterr()
    first, second = (json.loads(line) for line in captured.out.splitlines())
    assert first["schema"] == second["schema"] == "sdsafe.report/1"
    assert (first["file"], first["verdict"], first["accepted"]) == (str(paths[0]), "valid", True)
    assert (second["verdict"], second["error"]["code"], second["accepted"]) == (None, "asset.not-an-image", False)
    assert captured.err == "2 files: 1 unreadable, 1 valid\n"
    assert len(rows) == 2

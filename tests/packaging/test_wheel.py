"""What is shipped works outside the repository: command line, packs and embedded model come from the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unpacked(repository_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=repository_root, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _run(unpacked: Path, folder: Path, *arguments: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(unpacked), "HOME": str(folder), "SDSAFE_HOME": str(folder / "state")}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_only_our_packages_are_shipped(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"sdsafe", "sdsafe_cli", "sdsafe_policies", "sdsafe_scenes"}
    assert (unpacked / "sdsafe" / "py.typed").is_file()


def test_everything_is_read_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    code = "import sdsafe, sdsafe_cli, sdsafe_policies, sdsafe_scenes as s; print(sdsafe.__file__); print(s.path())"
    for line in _run(unpacked, tmp_path, "-c", code).splitlines():
        assert Path(line).is_relative_to(unpacked)


def test_the_command_line_finds_its_packs_and_plugins(unpacked: Path, tmp_path: Path) -> None:
    assert "Policy before, safety after" in _run(unpacked, tmp_path, "-m", "sdsafe_cli", "--help")
    assert "baseline" in _run(unpacked, tmp_path, "-m", "sdsafe_cli", "policy", "list")
    assert "open-nsfw" in _run(unpacked, tmp_path, "-m", "sdsafe_cli", "plugins")


def test_the_embedded_model_makes_a_picture(unpacked: Path, tmp_path: Path) -> None:
    _run(unpacked, tmp_path, "-m", "sdsafe_cli", "keys", "init")
    arguments = ["generate", "a calm sea", "-o", "sea.png", "--model", "builtin:scenes", "--steps", "2"]
    _run(unpacked, tmp_path, "-m", "sdsafe_cli", *arguments, "--unsafe-unchecked")
    assert "builtin:scenes" in _run(unpacked, tmp_path, "-m", "sdsafe_cli", "verify", "sea.png")

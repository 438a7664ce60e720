"""The whole command line with the key in another process: nothing of it is in the home of who makes pictures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sdsafe.provenance.signing.credentials import init_development

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.weights, pytest.mark.slow]

_RUN = "from sdsafe_cli.main import run; run()"


def _env(home: Path, cache: Path, **more: str) -> dict[str, str]:
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("SDSAFE_", "XDG_"))}
    return {**keep, "HOME": str(home), "SDSAFE_HOME": str(home / "state"), "SDSAFE_CACHE": str(cache), **more}


@pytest.fixture
def apart(model_cache: Path) -> Iterator[Path]:
    """The home of a signer that serves at ``run/s`` in it."""
    home = Path(tempfile.mkdtemp(prefix="sds"))
    init_development(home / "state" / "keys", name="apart", password=None, force=False)
    command = [sys.executable, "-c", _RUN, "signer", "serve", "--socket", str(home / "run" / "s")]
    with subprocess.Popen(command, env=_env(home, model_cache), stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 30
        while not (home / "run" / "s").exists() and time.monotonic() < until:
            time.sleep(0.05)
        yield home
        process.terminate()
    assert process.returncode == 0
    shutil.rmtree(home)


@pytest.fixture
def sdsafe(apart: Path, model_cache: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a home that has no key."""
    env = _env(tmp_path, model_cache, SDSAFE_SIGNER=f"socket:{apart}/run/s")

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _RUN, *map(str, arguments)]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=200)

    return call


def test_generate_and_verify_with_the_key_elsewhere(
    sdsafe: Callable[..., subprocess.CompletedProcess[str]], apart: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    make = ("generate", "a red house", "--model", "builtin:tiny", "--steps", 2, "--seed", 7)
    made = sdsafe(*make, "-o", out)
    assert made.returncode == 0, made.stderr
    assert not (tmp_path / "state" / "keys").exists()
    checked = sdsafe("verify", out, "--trust", apart / "state" / "keys" / "root.pem", "--json")
    assert (checked.returncode, json.loads(checked.stdout)["verdict"]) == (0, "trusted")
    told = sdsafe("signer", "log", "--state", apart / "state" / "signer", "--against", tmp_path / "state", "--json")
    assert [each["fate"] for each in json.loads(told.stdout)["entries"]] == ["released"]
    unchecked = tmp_path / "unchecked.png"
    refused = sdsafe(*make, "-o", unchecked, "--unsafe-unchecked")
    assert (refused.returncode, unchecked.exists()) == (1, False)
    assert "no output check has looked" in refused.stderr
    held = json.loads(sdsafe("signer", "status", "--json").stdout)
    assert (held["signatures"], held["refused_since"]) == (1, {"signer.no-check": 1})

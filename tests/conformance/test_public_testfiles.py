"""The files that C2PA publishes for tests: the letters in a file's name say what a validator has to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe.api import open_validator, read_asset
from sdsafe.core.report import Verdict
from sdsafe.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.verification import Validator

# A: no manifest; C: a claim; I: an ingredient without one; E-dat, X: content changed; E-sig: signature changed.
EXPECTED = {
    "A": (Verdict.UNKNOWN, None),
    "I": (Verdict.UNKNOWN, None),
    "C": (Verdict.VALID, None),
    "CA": (Verdict.VALID, None),
    "CAI": (Verdict.VALID, None),
    "E-dat-CA": (Verdict.INVALID, "assertion.dataHash.mismatch"),
    "XCA": (Verdict.INVALID, "assertion.dataHash.mismatch"),
    "E-sig-CA": (Verdict.INVALID, "claimSignature.mismatch"),
}


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    home = tmp_path_factory.mktemp("auditor")
    return open_validator(Settings.load({"HOME": str(home)}, site=home / "none.toml"))


@pytest.mark.parametrize("letters", EXPECTED)
def test_the_letters_are_what_verify_says(shared_data: Path, validator: Validator, letters: str) -> None:
    verdict, code = EXPECTED[letters]
    report = validator.inspect(read_asset(shared_data / "c2pa-testfiles" / f"{letters}.jpg"))
    assert report.verdict is verdict
    failures = {each.code for each in report.evidence.findings if each.severity == "failure"}
    assert code is None or code in failures


def test_every_file_has_an_expectation(shared_data: Path) -> None:
    assert {path.stem for path in (shared_data / "c2pa-testfiles").glob("*.jpg")} == set(EXPECTED)

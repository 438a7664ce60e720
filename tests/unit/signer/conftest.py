"""One dossier of a real release, and a signer apart that would sign it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.errors import SigningError
from sdsafe.testing.apart import fake_keeper
from sdsafe.testing.pipeline import fake_parts, fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdsafe.core.dossier import Dossier
    from sdsafe.protocols import TimeStamper
    from sdsafe.signer.keeper import Keeper

REQUEST = GenerationRequest(prompt="waves under a red sky", seed=7, size=Size(width=256, height=256), steps=2)


class _SeenError(SigningError):
    """The dossier has been seen."""


class Showing:
    """A demanding signer that signs nothing and keeps what it is shown."""

    def __init__(self, places: Places) -> None:
        self._real = fake_parts(places).signer
        self.alg, self.certificate_chain = self._real.alg, self._real.certificate_chain
        self.shown: list[Dossier] = []

    def sign(self, data: bytes, /) -> bytes:
        return self._real.sign(data)

    def sign_shown(self, dossier: Dossier, _stamper: TimeStamper | None, /) -> tuple[bytes, bytes]:
        self.shown.append(dossier)
        raise _SeenError("seen")


def dossier_of(places: Places, **others: object) -> Dossier:
    signer = Showing(places)
    with pytest.raises(_SeenError):
        fake_pipeline(places, signer=signer, **others).run(REQUEST)
    (shown,) = signer.shown
    return shown


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    folder = tmp_path_factory.mktemp("shown")
    return dossier_of(Places(state=folder / "state", cache=folder / "cache"))


@pytest.fixture
def keeper(places: Places) -> Keeper:
    return fake_keeper(places)


@pytest.fixture
def run_folder() -> Iterator[Path]:
    """A private folder with a short path: that of a socket has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="sds"))
    yield folder
    shutil.rmtree(folder)

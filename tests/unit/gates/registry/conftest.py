from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from sdsafe.core.request import AdapterRef, GenerationRequest, ModelRef
from sdsafe.gates.registry.gate import LicenceGate
from sdsafe.gates.registry.loading import load_registry
from sdsafe.gates.registry.use import DeclaredUse

if TYPE_CHECKING:
    from pathlib import Path

    from sdsafe.gates.registry.assessment import Assessment
    from sdsafe.gates.registry.records import Registry


class Assess(Protocol):
    def __call__(
        self,
        model: str,
        *adapters: str,
        use: str | None = None,
        revenue: int | None = None,
        users: int | None = None,
        territory: tuple[str, ...] | None = None,
        attested: tuple[str, ...] = (),
        declares: str | None = None,
    ) -> Assessment: ...


def judge(registry: Registry) -> Assess:
    def assess(
        model: str,
        *adapters: str,
        use: str | None = None,
        revenue: int | None = None,
        users: int | None = None,
        territory: tuple[str, ...] | None = None,
        attested: tuple[str, ...] = (),
        declares: str | None = None,
    ) -> Assessment:
        request = GenerationRequest(
            prompt="a boat",
            model=ModelRef(repo=model, license=declares),
            adapters=tuple(AdapterRef(kind="lora", repo=repo) for repo in adapters),
        )
        declared = DeclaredUse(
            use=use, revenue_usd=revenue, monthly_users=users, territory=territory, attested=frozenset(attested)
        )
        return LicenceGate(registry).assess_request(request, declared)

    return assess


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return load_registry(site=tmp_path_factory.mktemp("none") / "none.yaml")


@pytest.fixture
def assess(registry: Registry) -> Assess:
    return judge(registry)


class Load(Protocol):
    def __call__(self, user: str, site: str | None = None) -> Registry: ...


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the shipped registry with a user's (and an organisation's) file of this text."""

    def loaded(user: str, site: str | None = None) -> Registry:
        (tmp_path / "registry.yaml").write_text(user, encoding="utf-8")
        if site is not None:
            (tmp_path / "site.yaml").write_text(site, encoding="utf-8")
        return load_registry(user=tmp_path / "registry.yaml", site=tmp_path / "site.yaml")

    return loaded

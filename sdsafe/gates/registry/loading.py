"""Reads the shipped data and the registries of organisation and user, and merges them strictly.

``registry.yaml`` beside the settings adds licences and records. What is known already is not changed in silence:
an entry that stands for a shipped one says ``replaces`` and ``because``, and a user's file replaces nothing that
the organisation's file says.
"""

from __future__ import annotations

import os
from collections import Counter
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field

from sdsafe._internal.documents import read_yaml
from sdsafe._internal.strict import Line, Strict, build
from sdsafe.core.canonical import canonical_digest
from sdsafe.core.request import ModelRef
from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.gates.registry.licence import Licence, Restriction, Source, Verified  # noqa: TC001 - pydantic reads them
from sdsafe.gates.registry.marketplace import MarketplaceFile
from sdsafe.gates.registry.records import Record, Registry
from sdsafe.gates.registry.regulation import RegulationFile

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SITE_REGISTRY", "load_registry", "load_regulations", "user_registry"]

SITE_REGISTRY = Path("/etc/sdsafe/registry.yaml")
"""Written by the organisation's administrator; no variable points elsewhere."""

_File = TypeVar("_File", bound=Strict)


class _CivitaiFlags(Strict):
    sources: tuple[Source, ...]
    verified: Verified
    commercial_use: dict[str, Line]


class _LicenceFile(Strict):
    schema_: Literal["sdsafe.licences/1"] = Field(alias="schema")
    version: str
    restrictions: dict[str, Restriction]
    licences: tuple[Licence, ...]
    civitai: _CivitaiFlags


class _ModelFile(Strict):
    schema_: Literal["sdsafe.models/1"] = Field(alias="schema")
    version: str
    models: tuple[Record, ...]


class _RegistryFile(Strict):
    schema_: Literal["sdsafe.registry/1"] = Field(alias="schema")
    restrictions: dict[str, Restriction] = Field(default_factory=dict)
    licences: tuple[Licence, ...] = ()
    models: tuple[Record, ...] = ()


def load_registry(*, user: Path | None = None, site: Path = SITE_REGISTRY) -> Registry:
    """Return the shipped facts with those of the organisation and the user.

    Args:
        user: The user's registry file, usually ``user_registry()``; None or absent: none.
        site: The organisation's; only tests point it elsewhere.

    Raises:
        PolicyFormatError: A file does not fit its schema, or contradicts what is known without saying so.
        ConfigurationError: A file is there and cannot be read.
    """
    licences = _shipped(_LicenceFile, "licences.yaml")
    models = _shipped(_ModelFile, "models.yaml")
    markets = _shipped(MarketplaceFile, "marketplaces.yaml")
    merged = _Merge(licences, models)
    organisation = _optional(site)
    shipped = frozenset(merged.records)
    if organisation is not None:
        merged.add(organisation, site.name, shipped)
    own = _optional(user) if user is not None else None
    if user is not None and own is not None:
        fixed = {each.id for each in organisation.models} if organisation is not None else set()
        merged.add(own, user.name, shipped - fixed)
    merged.check()
    parts = {
        "licences": [each.model_dump(mode="json") for each in merged.licences.values()],
        "restrictions": {code: each.model_dump(mode="json") for code, each in merged.restrictions.items()},
        "models": [each.model_dump(mode="json") for each in merged.records.values()],
        "marketplaces": [each.model_dump(mode="json") for each in markets.marketplaces],
    }
    return Registry(
        version=licences.version,
        digest=canonical_digest(parts),
        licences=MappingProxyType(merged.licences),
        records=tuple(merged.records.values()),
        restrictions=MappingProxyType(merged.restrictions),
        marketplaces=MappingProxyType({each.id: each for each in markets.marketplaces}),
    )


def load_regulations() -> RegulationFile:
    """Return what is known about law and standards."""
    return _shipped(RegulationFile, "regulations.yaml")


def user_registry(env: Mapping[str, str] | None = None) -> Path:
    """Return where the user's registry file belongs: beside the settings file that ``env`` leads to."""
    env = os.environ if env is None else env
    if env.get("SDSAFE_CONFIG"):
        return Path(env["SDSAFE_CONFIG"]).parent / "registry.yaml"
    home = Path(env.get("HOME") or Path.home())
    return Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "sdsafe" / "registry.yaml"


class _Merge:
    """Adds files one by one and refuses what would change known facts in silence."""

    def __init__(self, licences: _LicenceFile, models: _ModelFile) -> None:
        _once("licences.yaml", "licences", [each.id for each in licences.licences])
        _once("models.yaml", "models", [each.id for each in models.models])
        self.restrictions = dict(licences.restrictions)
        self.licences = {each.id: each for each in licences.licences}
        self.records = {each.id: each for each in models.models}

    def add(self, extra: _RegistryFile, file: str, replaceable: frozenset[str]) -> None:
        known = {name for each in self.licences.values() for name in (each.id, *each.aliases)}
        for licence in extra.licences:
            if not known.isdisjoint((licence.id, *licence.aliases)):
                raise _clash(file, f"licences.{licence.id}", "a licence id and aliases that are new")
            self.licences[licence.id] = licence
        for code, restriction in extra.restrictions.items():
            if code in self.restrictions:
                raise _clash(file, f"restrictions.{code}", "a code that is new")
            self.restrictions[code] = restriction
        for record in extra.models:
            self._add_record(record, file, replaceable)

    def _add_record(self, record: Record, file: str, replaceable: frozenset[str]) -> None:
        key = f"models.{record.id}"
        if record.replaces is not None:
            if record.replaces not in self.records:
                raise _clash(file, f"{key}.replaces", "the id of a known record")
            if record.replaces not in replaceable:
                raise _clash(file, f"{key}.replaces", "a record that the organisation's registry does not set")
            del self.records[record.replaces]
        if record.id in self.records:
            raise _clash(file, key, "an id that is new")
        shadowed = self._shadowed(record)
        if shadowed is not None:
            raise PolicyFormatError(
                file=file,
                key=f"{key}.repos",
                expected="names or files that no record covers yet",
                found=f"some of {shadowed}",
                hint=f"Say `replaces: {shadowed}` and `because:` to overrule it.",
            )
        self.records[record.id] = record

    def _shadowed(self, record: Record) -> str | None:
        known = Registry(
            version="",
            digest="",
            licences=self.licences,
            records=tuple(self.records.values()),
            restrictions={},
            marketplaces={},
        )
        for repo in record.repos:
            for other in known.records:
                if any(_overlap(repo, pattern) for pattern in other.repos):
                    return other.id
        for digest in record.digests:
            found = known.find(ModelRef(repo="", digest=digest))
            if found.record is not None:
                return found.record.id
        return None

    def check(self) -> None:
        """Make sure that every name that is used exists."""
        for licence in self.licences.values():
            for code in licence.restrictions:
                if code not in self.restrictions:
                    raise _clash("licences", f"{licence.id}.restrictions", f"a known code, not {code}")
        for record in self.records.values():
            for name in (*((record.licence,) if record.licence else ()), *record.also):
                if name not in self.licences:
                    raise _clash("models", f"{record.id}.licence", f"a known licence, not {name}")
            for name in record.derived_from:
                if name not in self.records:
                    raise _clash("models", f"{record.id}.derived_from", f"the id of a known record, not {name}")


def _overlap(one: str, other: str) -> bool:
    """Say whether some name fits both patterns."""
    a, b = one.casefold(), other.casefold()
    if a.endswith("*") and b.endswith("*"):
        return a[:-1].startswith(b[:-1]) or b[:-1].startswith(a[:-1])
    if a.endswith("*"):
        return b.startswith(a[:-1])
    return a.startswith(b[:-1]) if b.endswith("*") else a == b


def _shipped(model: type[_File], name: str) -> _File:
    data = files("sdsafe_policies").joinpath("data", name).read_bytes()
    return build(model, read_yaml(data, name), name)


def _optional(path: Path) -> _RegistryFile | None:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(
            f"{path.name}: the licence registry cannot be read: {error.strerror}",
            hint="Repair the file or its permissions; nothing is judged on facts half read.",
        ) from error
    return build(_RegistryFile, read_yaml(data, path.name), path.name)


def _once(file: str, key: str, ids: list[str]) -> None:
    for name, count in Counter(ids).items():
        if count > 1:
            raise _clash(file, f"{key}.{name}", "each id once")


def _clash(file: str, key: str, expected: str) -> PolicyFormatError:
    return PolicyFormatError(file=file, key=key, expected=expected, found="another")

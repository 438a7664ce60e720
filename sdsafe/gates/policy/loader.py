"""From names to packs: finds them, reads them strictly, follows what they extend, and checks what they refer to.

A name means a shipped pack first, then one in the user's folders; two of the same name are an error, because which
one judges must not depend on chance. A pack is a folder with ``policy.yaml``, or a single ``.yaml`` file; a value
with a slash, or that ends in ``.yaml``, is a path. What a pack extends is loaded with it and judges with it:
the strictest wins, so extending can add severity and never take any away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe._internal.documents import MAX_BYTES, read_yaml
from sdsafe._internal.strict import build
from sdsafe._internal.text.normalize import UNICODE
from sdsafe.core.canonical import canonical_digest
from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.gates.policy.lexicon import LEXICON_VERSION, Entry
from sdsafe.gates.policy.model import Pack, TermList
from sdsafe.gates.policy.references import Conditions, check_terms, compile_rules, known_categories
from sdsafe.gates.policy.terms import SharedTerms, read_shared, read_terms, shared_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sdsafe.core.decisions import PolicyRef
    from sdsafe.gates.policy.categories import Category

__all__ = ["LoadedPack", "LoadedPolicies", "available_packs", "load_policies"]

_FILE = "policy.yaml"
_MAX_TERM_FILE = 64_000_000
_MAX_PACKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPack:
    """A checked pack, its identity, and where it came from."""

    pack: Pack
    ref: PolicyRef
    folder: Path
    categories: Mapping[str, Category]
    """What its rules may refer to: built in, its own, and those of what it extends."""
    conditions: tuple[Conditions, ...] = field(repr=False, compare=False)
    """Its rules, compiled, by stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPolicies:
    """The packs that judge together, what is extended before what extends it. Never empty, never without a rule."""

    packs: tuple[LoadedPack, ...]

    @property
    def refs(self) -> tuple[PolicyRef, ...]:
        """Id, version and digest of every pack."""
        return tuple(loaded.ref for loaded in self.packs)

    @property
    def lexicon_version(self) -> str:
        """Version of the term check made from these packs: its code, its Unicode tables, and every pack's digest."""
        packs = canonical_digest([[ref.id, ref.version, ref.digest] for ref in self.refs])
        return f"{LEXICON_VERSION}+unicode{UNICODE}+{packs[:16]}"

    def entries(self) -> Iterator[Entry]:
        """Yield every listed term and alias of every pack; those of shared lists once."""
        shared: dict[str, TermList] = {}
        for loaded in self.packs:
            for listed in loaded.pack.terms:
                if isinstance(listed, SharedTerms):
                    shared[listed.category] = listed
                else:
                    yield from _entries(listed, loaded.pack.id)
        for listed in shared.values():
            yield from _entries(listed, "shared")


def load_policies(names: Sequence[str], folders: Sequence[Path] = ()) -> LoadedPolicies:
    """Return the packs called ``names`` with everything they extend.

    Args:
        names: Names of packs, or paths.
        folders: Where to look besides the shipped packs.

    Raises:
        PolicyFormatError: A pack is malformed, or refers to what does not exist.
        ConfigurationError: No name was given, a pack is not found or ambiguous, or no pack has a rule.
    """
    if not names:
        raise ConfigurationError(
            "no policy pack is named: an empty list is not a pass", code="policy.none", hint="Name at least `baseline`."
        )
    loading = _Loading(folders)
    for name in names:
        loading.load(name)
    packs = tuple(loading.done.values())
    if not any(loaded.pack.rules for loaded in packs):
        raise ConfigurationError(
            "none of the policy packs has a rule: nothing would ever be judged",
            code="policy.none",
            hint="Add a pack with rules, such as `baseline`.",
        )
    return LoadedPolicies(packs=packs)


def available_packs(folders: Sequence[Path] = ()) -> tuple[str, ...]:
    """Return the names of the packs that ``load_policies`` finds, sorted; they are not opened."""
    found = (path.parent.name for root in _roots(folders) for path in root.glob(f"*/{_FILE}"))
    single = (path.stem for root in folders for path in root.glob("*.yaml"))
    return tuple(sorted({*found, *single}))


class _Loading:
    """One call of ``load_policies``: what is loaded already, and what is being loaded right now."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._open: list[str] = []
        self.done: dict[str, LoadedPack] = {}

    def load(self, name: str, *, base: Path | None = None, wanted_by: str = "") -> LoadedPack:
        path = self._locate(name, base, wanted_by)
        file = f"{path.parent.name}/{path.name}" if path.name == _FILE else path.name
        pack = _with_files(build(Pack, read_yaml(_bytes(path, file, MAX_BYTES), file), file), path.parent, file)
        if pack.id in self._open:
            circle = " -> ".join([*self._open[self._open.index(pack.id) :], pack.id])
            raise PolicyFormatError(file=file, key="extends", expected="no circle", found=circle)
        ref = pack.ref()
        if pack.id in self.done:
            return self._same(pack.id, ref, file)
        if pack.id == "builtin" or ("/" not in name and pack.id != name.removesuffix(".yaml")):
            expected = (
                f"{name.removesuffix('.yaml')!r}, as the pack is called" if pack.id != "builtin" else "another id"
            )
            raise PolicyFormatError(file=file, key="id", expected=expected, found=repr(pack.id))
        if len(self.done) + len(self._open) >= _MAX_PACKS:
            raise PolicyFormatError(file=file, key="extends", expected=f"at most {_MAX_PACKS} packs", found="more")
        self._open.append(pack.id)
        bases = [self.load(each, base=path.parent, wanted_by=file) for each in pack.extends]
        self._open.pop()
        check_terms(pack, file)
        categories = known_categories(pack, (each.categories for each in bases), file)
        conditions = compile_rules(pack, categories, file)
        loaded = LoadedPack(pack=pack, ref=ref, folder=path.parent, categories=categories, conditions=conditions)
        self.done[pack.id] = loaded
        return loaded

    def _same(self, pack_id: str, ref: PolicyRef, file: str) -> LoadedPack:
        if self.done[pack_id].ref != ref:
            raise PolicyFormatError(
                file=file, key="id", expected="an id of its own", found=f"{pack_id!r}, loaded already"
            )
        return self.done[pack_id]

    def _locate(self, name: str, base: Path | None, wanted_by: str) -> Path:
        if "/" in name or name.endswith(".yaml"):
            path = (base or Path()) / name
            found = [path / _FILE if path.is_dir() else path]
        else:
            candidates = [root / name / _FILE for root in _roots(self._folders)]
            candidates += [root / f"{name}.yaml" for root in self._folders]
            found = candidates
        found = [path for path in found if _is_file(path)]
        if len(found) > 1:
            raise ConfigurationError(
                f"two policy packs are called {name!r}", code="policy.ambiguous", hint="Rename one of them."
            )
        if not found and wanted_by:
            raise PolicyFormatError(file=wanted_by, key="extends", expected="a pack that exists", found=repr(name))
        if not found:
            known = ", ".join(available_packs(self._folders)) or "none"
            raise ConfigurationError(
                f"no policy pack {name!r}", code="policy.not-found", hint=f"Available: {known}. Paths contain a slash."
            )
        return found[0]


def _roots(folders: Sequence[Path]) -> tuple[Path, ...]:
    return (Path(str(files("sdsafe_policies"))), *folders)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for the system, or with a NUL in it
        return False


def _bytes(path: Path, file: str, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise PolicyFormatError(
            file=file, key="", expected="a file that can be read", found=error.strerror or type(error).__name__
        ) from error
    return data


def _with_files(pack: Pack, folder: Path, file: str) -> Pack:
    """Return the pack with the terms of its files in their lists, so that its digest covers them."""
    lists = tuple(
        listed if listed.file is None else _with_file(listed, listed.file, folder, f"{file}: terms[{index}].file")
        for index, listed in enumerate(pack.terms)
    )
    for index, name in enumerate(pack.terms_from):
        if name in pack.terms_from[:index] or name not in shared_names():
            expected = f"each of these at most once: {', '.join(shared_names())}"
            raise PolicyFormatError(file=file, key=f"terms_from[{index}]", expected=expected, found=repr(name))
    return pack.model_copy(update={"terms": (*lists, *map(read_shared, pack.terms_from))})


def _with_file(listed: TermList, name: str, folder: Path, where: str) -> TermList:
    path, file = folder / name, f"{folder.name}/{name}"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PolicyFormatError(file=where, key="", expected="a file inside the pack's folder", found=repr(name))
    terms = read_terms(path, file, listed.category)
    return listed.model_copy(update={"terms": listed.terms + terms})


def _entries(listed: TermList, pack: str) -> Iterator[Entry]:
    inside, tolerant = listed.match == "substring", listed.tolerance > 0
    for term in listed.terms:
        if isinstance(term, str):
            yield Entry(term, listed.category, pack, inside, tolerant)
        else:
            note = term.remark()
            for text in (term.term, *term.aliases):
                yield Entry(text, listed.category, pack, inside, tolerant, note)

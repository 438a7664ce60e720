"""What was read from a manifest store, and what it amounts to: pure, over values that may be hostile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from sdsafe._internal.certificates import load, readable_name
from sdsafe.core.findings import Severity
from sdsafe.core.ids import AssetId
from sdsafe.core.report import ManifestState, ManifestSummary
from sdsafe.provenance.manifest import jumbf, labels

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Reading", "StatusCode", "state_of", "summarise"]

_SHOWN_TEXT = 1 << 20
_MINING_LABELS = ("cawg.training-mining", "c2pa.training-mining")
_MAKING_USES = ("ai_inference", "ai_generative_training")
"""Uses that making a picture out of a picture is, or comes near to (CAWG Training and Data Mining 1.1, section 3)."""
_TIME_TRUSTED = "timeStamp.trusted"


def _empty() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCode:
    """One status code of C2PA 2.x, section 15.2, about one thing."""

    code: str
    severity: Severity
    explanation: str = ""
    url: str = ""
    ingredient: bool = False
    """True when it is about an ingredient's manifest rather than the active one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One manifest store as it was read. Everything in it is the signer's word, or an attacker's."""

    present: bool = True
    """False when there is no manifest store at all; a broken one is present."""
    library_state: str = ""
    """``Valid``, ``Trusted`` or ``Invalid`` in the C2PA library's words; empty when it could not read on."""
    codes: tuple[StatusCode, ...] = ()
    label: str = ""
    manifest: Mapping[str, object] = field(default_factory=_empty, repr=False)
    """The active manifest as crJSON."""
    before: Mapping[str, object] | None = field(default=None, repr=False)
    """The manifest that an update manifest goes on from; None: the active one is no update."""
    same_signer: bool = False
    """Whether that one was signed with the very certificate that the active one was."""
    store: bytes = field(default=b"", repr=False)
    """The manifest store itself (JUMBF)."""
    alg: str = ""
    certificate_chain: tuple[bytes, ...] = field(default=(), repr=False)
    """DER, leaf first; empty when it could not be read without doubt."""
    stapled: tuple[bytes, ...] = field(default=(), repr=False)
    """DER, what the signer stapled on the status of its certificate."""
    signature_time: str | None = None
    """RFC 3339; only when a time-stamp of one of the auditor's own authorities proves it."""
    stamped_at: str | None = None
    """RFC 3339; of a time-stamp that holds, whoever made it."""
    not_checked: tuple[str, ...] = ()
    beside: bool = False
    """Whether the store stands beside the file: its hash then covers every byte of the file."""

    @property
    def about(self) -> Mapping[str, object]:
        """The manifest that says what the asset is: the active one, or the one before where that is its signer's update."""
        return self.before if self.before is not None and self.same_signer else self.manifest

    @property
    def failures(self) -> frozenset[str]:
        """Codes of failures of the active manifest, without the one that says that nobody vouches for the signer."""
        failed = {c.code for c in self.codes if c.severity is Severity.FAILURE and not c.ingredient}
        return frozenset(failed - {labels.UNTRUSTED})


def state_of(reading: Reading, *, tolerated: frozenset[str] = frozenset()) -> ManifestState:
    """Return how far the manifest got.

    *Valid*: the library found nothing wrong but perhaps an unknown signer, and our own check of the claim
    signature agrees. *Well-formed*: signature and assertions are intact, but the hard binding is about other
    bytes. *Invalid*: anything else.

    Args:
        reading: What was read.
        tolerated: Failure codes that do not count.
    """
    if not reading.present:
        return ManifestState.ABSENT
    passed = {c.code for c in reading.codes if c.severity is Severity.SUCCESS and not c.ingredient}
    if not reading.library_state or "claimSignature.validated" not in passed:
        return ManifestState.INVALID
    failures = reading.failures - tolerated
    if not failures:
        # Whoever says Invalid without a failure that we see knows something that we do not.
        excused = reading.library_state in {"Valid", "Trusted"} or bool(reading.failures & tolerated)
        return ManifestState.VALID if excused else ManifestState.INVALID
    return ManifestState.WELL_FORMED if failures <= labels.HARD_BINDING_MISMATCHES else ManifestState.INVALID


def refused_uses(manifest: Mapping[str, object]) -> tuple[str, ...]:
    """Return the uses that the training and data mining assertion of a manifest does not allow, each once."""
    assertions = manifest.get("assertions")
    refused: dict[str, None] = {}
    for label, value in assertions.items() if isinstance(assertions, Mapping) else ():
        entries = value.get("entries") if isinstance(value, Mapping) else None
        if str(label).partition("__")[0] not in _MINING_LABELS or not isinstance(entries, Mapping):
            continue
        for name, entry in entries.items():
            use = str(name).rpartition(".")[2]
            # "constrained" names conditions that only a person can read: as long as nobody has, it is no permission.
            if use in _MAKING_USES and isinstance(entry, Mapping) and entry.get("use") in {"notAllowed", "constrained"}:
                refused[use] = None
    return tuple(refused)


def summarise(reading: Reading) -> ManifestSummary | None:
    """Return what a report shows of a manifest; None when there is nothing that could be shown."""
    if not reading.label:
        return None
    signer, issuer = _names(reading.certificate_chain)
    generation = _generation(reading.about)
    return ManifestSummary(
        label=reading.label,
        claim_generator=_claim_generator(reading.manifest),
        signer=signer,
        issuer=issuer,
        signature_time=reading.signature_time,
        trust_list=None,
        certificate_chain=reading.certificate_chain,
        asset_id=_asset_id(generation),
        generation=generation,
        prompt=_prompt(reading, generation),
        actions=tuple(_of_actions(reading.about, "action")),
        source_types=tuple(_of_actions(reading.about, "digitalSourceType")),
        refused_uses=tuple(dict.fromkeys((*refused_uses(reading.manifest), *refused_uses(reading.before or {})))),
        stamped_at=reading.stamped_at,
        stapled=reading.stapled,
    )


def _at(value: object, *keys: str) -> object:
    """Follow keys through nested mappings; None where there is no way."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _names(chain: tuple[bytes, ...]) -> tuple[str, str]:
    try:
        leaf = load(chain[0])
    except (IndexError, ValueError):  # there is no name to show
        return "", ""
    return readable_name(leaf.subject), readable_name(leaf.issuer)


def _claim_generator(manifest: Mapping[str, object]) -> str:
    info = _at(manifest, "claim.v2", "claim_generator_info")
    if isinstance(info, Mapping):
        return "/".join(str(info[key]) for key in ("name", "version") if isinstance(info.get(key), str))
    old = _at(manifest, "claim", "claim_generator")
    return old if isinstance(old, str) else ""


def _generation(manifest: Mapping[str, object]) -> Mapping[str, object]:
    """Return our assertion, if the signer made it: one that was only gathered is somebody else's word."""
    created = _at(manifest, "claim.v2", "created_assertions")
    urls = [_at(entry, "url") for entry in created] if isinstance(created, list) else []
    if not any(isinstance(url, str) and url.rpartition("/")[2] == labels.GENERATION for url in urls):
        return _empty()
    value = _at(manifest, "assertions", labels.GENERATION)
    return MappingProxyType(dict(value)) if isinstance(value, Mapping) else _empty()


def _asset_id(generation: Mapping[str, object]) -> str | None:
    value = generation.get("asset_id")
    try:
        return str(AssetId.parse(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _prompt(reading: Reading, generation: Mapping[str, object]) -> str | None:
    """Return the text of the prompt ingredient, else the prompt of our own assertion."""
    text = _at(generation, "prompt", "texts", "prompt")
    assertions = _at(reading.about, "assertions")
    for value in assertions.values() if isinstance(assertions, Mapping) else ():
        types = _at(value, "dataTypes")
        if isinstance(types, list) and any(_at(each, "type") == labels.TYPE_PROMPT for each in types):
            url = _at(value, "data", "url")
            text = _embedded(reading, url.rpartition("/")[2]) if isinstance(url, str) else text
            break
    return text[:_SHOWN_TEXT] if isinstance(text, str) else None


def _embedded(reading: Reading, name: str) -> str | None:
    """Return the text of an embedded-data assertion; the library has compared its hash with the claim's."""
    try:
        root = jumbf.parse(reading.store)
    except jumbf.JumbfError:
        return None
    manifests = [m for m in root.children[1:] if m.label == reading.about.get("label")]
    stores = [s for m in manifests for s in m.children[1:] if s.kind == b"c2as"]
    contents = [
        box.content
        for store in stores
        for assertion in store.children[1:]
        if assertion.label == name
        for box in assertion.children[1:]
        if box.type == b"bidb"
    ]
    return contents[0].decode("utf-8", errors="replace") if len(contents) == 1 else None


def _of_actions(manifest: Mapping[str, object], key: str) -> Iterator[str]:
    assertions = _at(manifest, "assertions")
    for label, value in assertions.items() if isinstance(assertions, Mapping) else ():
        if label.partition("__")[0] not in (labels.ACTIONS, "c2pa.actions"):
            continue
        actions = _at(value, "actions")
        for action in actions if isinstance(actions, list) else ():
            text = _at(action, key)
            if isinstance(text, str):
                yield text

"""Every shipped pack, spoilt in many ways: each way is refused at once, and the error names file, key and mismatch.

The originals are written out the same way and load as themselves, so that what is refused is the mistake alone; that
they lint clean is shown beside the linter.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sdsafe._internal.documents import read_yaml
from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.gates.policy.loader import available_packs, load_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Tree = dict[str, Any]
PACKS = available_packs()
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_FACT = re.compile(r"\b(found|found_in\.\w+|score|use|licence|organisation|request|model)\.(\w+)")


@dataclass(frozen=True)
class Mutation:
    """What is done to a pack, and what the error has to say about it."""

    name: str
    apply: Callable[[Tree], Tree | str | None]
    """Takes a fresh copy of the pack; gives a tree, or text as it stands; None: there is nothing to spoil in this pack."""
    key: str = ""
    says: str = ""


def _rule(change: Callable[[Tree], object]) -> Callable[[Tree], Tree]:
    """Spoil the first rule."""

    def apply(tree: Tree) -> Tree:
        change(tree["rules"][0])
        return tree

    return apply


def _set(**values: object) -> Callable[[Tree], Tree]:
    return _rule(lambda rule: rule.update(values))


def _in_a_condition(pattern: str, replacement: str) -> Callable[[Tree], Tree | None]:
    """Spoil the first condition in which something matches."""

    def apply(tree: Tree) -> Tree | None:
        for rule in tree["rules"]:
            spoilt = re.sub(pattern, replacement, rule["when"], count=1)
            if spoilt != rule["when"]:
                rule["when"] = spoilt
                return tree
        return None

    return apply


def _rename(old: str, new: str) -> Callable[[Tree], Tree]:
    return lambda tree: {new if key == old else key: value for key, value in tree.items()}


def _text(change: Callable[[str], str]) -> Callable[[Tree], str]:
    return lambda tree: change(_dump(tree))


def _with_a_bad_list(tree: Tree) -> Tree:
    return {**tree, "terms": [*tree.get("terms", ()), {"category": "mist", "terms": ["\u200b"]}]}


MUTATIONS = [
    # Names
    Mutation("key of the pack", _rename("rules", "ruels"), "ruels", "unknown key"),
    Mutation("key of a rule", _rule(lambda rule: rule.update(efect=rule.pop("effect"))), "rules[0].efect", "unknown key"),
    Mutation("field", _in_a_condition(_FACT.pattern, r"\1.\2q"), ".when", "known at this stage"),
    Mutation("root", _in_a_condition(_FACT.pattern, r"q\1.\2"), ".when", "known at this stage"),
    Mutation("category", _set(when="found.artist_livng"), "rules[0].when", "artist_livng"),
    Mutation("unscored category", _set(when="score.obfuscation > 0.5"), "rules[0].when", "score.obfuscation"),
    Mutation("effect", _set(effect="denied"), "rules[0].effect", "'denied'"),
    Mutation("stage", _set(stage="outputs"), "rules[0].stage", "'outputs'"),
    Mutation("on_error", _set(on_error="allow"), "rules[0].on_error", "'allow'"),
    Mutation("obligation", _set(obligations=[{"code": "watermrk"}]), "rules[0].obligations[0]", "watermrk"),
    Mutation("parameter", _set(obligations=[{"code": "watermark", "params": {"strength": 1}}]), "rules[0].obligations[0]", "strength"),
    Mutation("base", lambda tree: {**tree, "extends": ["basline"]}, "extends", "'basline'"),
    Mutation("list", lambda tree: {**tree, "terms_from": ["artists_living"]}, "terms_from[0]", "'artists_living'"),
    Mutation("file", lambda tree: {**tree, "terms": [{"category": "mist", "file": "../../etc/passwd.txt"}]}, "terms[0].file", "passwd"),
    Mutation("format", lambda tree: {**tree, "format": "sdsafe.policy/2"}, "format", "sdsafe.policy/2"),
    # Operators and expressions
    Mutation("operator word", _in_a_condition(r"(true|\w)$", r"\1 and has(use.kind)"), ".when", "CEL"),
    Mutation("operator half", _set(when="has(use.kind) & has(use.marketplace)"), "rules[0].when", "CEL"),
    Mutation("operator assigns", _set(when='use.kind = "private"'), "rules[0].when", "CEL"),
    Mutation("operator of other types", _set(when="request.count > use.kind"), "rules[0].when", "fit together"),
    Mutation("operator not", _set(when="!use.kind"), "rules[0].when", "fit together"),
    Mutation("no question", _set(when="1 < 2"), "rules[0].when", "asks about a fact"),
    Mutation("no condition", _set(when="use.kind"), "rules[0].when", "true or false"),
    Mutation("unclosed", _set(when="(has(use.kind)"), "rules[0].when", "CEL"),
    Mutation("unclosed text", _set(when='use.kind == "private'), "rules[0].when", ""),
    Mutation("function", _set(when="lower(use.kind) == 'x'"), "rules[0].when", "lower"),
    Mutation("deep", _set(when="(" * 500 + "has(use.kind)" + ")" * 500), "rules[0].when", ""),
    Mutation("long", _set(when=" || ".join(["has(use.kind)"] * 200)), "rules[0].when", "2000"),
    Mutation("loops", _set(when="[1].all(a, [1].all(b, [1].all(c, has(use.kind))))"), "rules[0].when", "exists and all"),
    Mutation("file before there is one", lambda tree: {**tree, "rules": [{**tree["rules"][0], "stage": "prompt", "when": "asset.width > 1"}]}, "rules[0].when", "asset.width"),
    # Types and shapes
    Mutation("condition as truth value", _set(when=True), "rules[0].when", "true"),
    Mutation("condition as mapping", _set(when={"found": "brand"}), "rules[0].when", "a mapping with found"),
    Mutation("effect as list", _set(effect=["deny"]), "rules[0].effect", "a list of 1"),
    Mutation("obligations as mapping", _set(obligations={"code": "watermark"}), "rules[0].obligations", "a mapping"),
    Mutation("rules as mapping", lambda tree: {**tree, "rules": {"first": tree["rules"][0]}}, "rules", "a mapping with first"),
    Mutation("rule as text", lambda tree: {**tree, "rules": ["deny"]}, "rules[0]", "'deny'"),
    Mutation("version as number", lambda tree: {**tree, "version": 1.0}, "version", "1.0"),
    Mutation("extends as text", lambda tree: {**tree, "extends": "baseline"}, "extends", "'baseline'"),
    Mutation("reason missing", _rule(lambda rule: rule.pop("because")), "rules[0].because", "nothing"),
    Mutation("reason empty", _set(because=""), "rules[0].because", "not empty"),
    Mutation("rule twice", lambda tree: {**tree, "rules": [*tree["rules"], dict(tree["rules"][0])]}, "", "twice"),
    Mutation("no rules", lambda tree: {**{k: v for k, v in tree.items() if k not in {"terms", "terms_from"}}, "rules": []}, "", "neither"),
    Mutation("apply without obligations", _set(on_error="apply", obligations=[]), "rules[0]", "obligations"),
    Mutation("invisible term", _with_a_bad_list, "terms", "a letter or digit"),
    Mutation("id", lambda tree: {**tree, "id": "Not A Name"}, "id", "'Not A Name'"),
    # YAML
    Mutation("tag", _text(lambda text: text.replace("title:", "title: !!python/object/apply:os.system", 1)), "title", "tag"),
    Mutation("key twice", _text(lambda text: text + "id: other\n"), "id", "twice"),
    Mutation("aliases", _text(lambda text: "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + text), "a (line 1)", "alias"),
    Mutation("two documents", _text(lambda text: text + "---\n" + text), "", "a second one"),
    Mutation("nesting", _text(lambda text: text + "more: " + "[" * 100_000), "more", "deeper"),
    Mutation("cut short", _text(lambda text: text[: text.index("rules:")] + 'rules: ["'), "line", "YAML"),
    Mutation("not a number", _text(lambda text: text.replace("version:", "version: .nan #", 1)), "version", ".nan"),
]  # fmt: skip


@functools.cache
def _original(name: str) -> tuple[Path, str]:
    folder = load_policies([name]).packs[-1].folder
    tree = read_yaml((folder / "policy.yaml").read_bytes(), name)
    return folder, json.dumps(tree)


def _dump(tree: Tree) -> str:
    text: str = yaml.dump(json.loads(json.dumps(tree)), Dumper=DUMPER, allow_unicode=True, sort_keys=False)
    return text


@functools.cache
def _mutants(mutation: Mutation) -> tuple[tuple[str, str], ...]:
    """Return the name of every pack that a mutation can spoil, with its spoilt text."""
    tried = ((name, mutation.apply(json.loads(_original(name)[1]))) for name in PACKS)
    return tuple((name, each if isinstance(each, str) else _dump(each)) for name, each in tried if each is not None)


def _write(folder: Path, name: str, text: str) -> Path:
    copy = folder / name
    copy.mkdir()
    for beside in _original(name)[0].iterdir():
        if beside.is_file() and beside.name != "policy.yaml":
            (copy / beside.name).write_bytes(beside.read_bytes())
    (copy / "policy.yaml").write_text(text, encoding="utf-8")
    return copy


@pytest.mark.parametrize("name", PACKS)
def test_the_original_survives_being_written_out(name: str, tmp_path: Path) -> None:
    copy = _write(tmp_path, name, _dump(json.loads(_original(name)[1])))
    assert load_policies([str(copy)]).packs[-1].ref == load_policies([name]).packs[-1].ref


def test_every_pack_is_spoilt_in_many_ways() -> None:
    counts = Counter(name for mutation in MUTATIONS for name, _ in _mutants(mutation))
    assert set(counts) == set(PACKS)
    assert min(counts.values()) >= 40
    assert counts.total() >= 200


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_every_mutant_is_refused_with_its_place(mutation: Mutation, tmp_path: Path) -> None:
    spoilt = _mutants(mutation)
    assert spoilt
    for name, text in spoilt:
        copy = _write(tmp_path, name, text)
        started = time.process_time()
        with pytest.raises(PolicyFormatError) as caught:
            load_policies([str(copy)])
        assert time.process_time() - started < 1
        error = caught.value
        assert error.file == f"{name}/policy.yaml"
        assert mutation.key in error.key
        assert error.expected
        assert error.found
        assert mutation.says in f"{error.expected}: {error.found}"


@pytest.mark.parametrize("name", PACKS)
def test_packs_that_extend_each_other_are_refused(name: str, tmp_path: Path) -> None:
    tree = json.loads(_original(name)[1])
    tree["extends"] = ["../between"]
    copy = _write(tmp_path, name, _dump(tree))
    between = {
        "format": "sdsafe.policy/1",
        "id": "between",
        "version": "1.0.0",
        "title": "between",
        "description": "between",
        "extends": [f"../{name}"],
        "rules": [{"id": "r", "stage": "prompt", "when": "true", "effect": "annotate", "because": "it is there"}],
    }
    (tmp_path / "between").mkdir()
    (tmp_path / "between" / "policy.yaml").write_text(_dump(between))
    with pytest.raises(PolicyFormatError) as caught:
        load_policies([str(copy)])
    assert caught.value.key == "extends"
    assert caught.value.found == f"{name} -> between -> {name}"


def test_files_that_are_far_too_large_end_quickly(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / "policy.yaml").open("wb") as stream:
        stream.write(b"id: large\n")
        stream.truncate(50_000_000)
    started = time.perf_counter()
    with pytest.raises(PolicyFormatError, match="at most 5,000,000 bytes"):
        load_policies([str(folder)])
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "..", "../..", "no-such-pack", "/", "a/b"])
def test_names_of_nothing_are_configuration_errors(name: str) -> None:
    with pytest.raises(ConfigurationError):
        load_policies([name])

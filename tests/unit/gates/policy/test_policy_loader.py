from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe.errors import ConfigurationError, PolicyFormatError
from sdsafe.gates.policy.loader import available_packs, load_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_shipped_pack_is_found_by_name_and_has_an_identity() -> None:
    loaded = load_policies(["baseline"])
    (ref,) = loaded.refs
    assert (ref.id, ref.version) == ("baseline", "1.1.0")
    assert len(ref.digest) == 64
    assert "baseline" in available_packs()


def test_no_names_are_not_a_pass() -> None:
    with pytest.raises(ConfigurationError, match="empty list") as caught:
        load_policies([])
    assert caught.value.hint


@pytest.mark.parametrize(
    "name", ["nope", "", "..", "../baseline", "a/b", "x.yaml", "a\0b", "n" * 5000, "/", "baseline/"]
)
def test_unknown_names_are_typed_errors_with_what_there_is(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no policy pack") as caught:
        load_policies([name])
    assert "baseline" in caught.value.hint


def test_a_pack_of_the_user_is_found_by_name_by_folder_and_by_file(write_pack: Callable[..., Path]) -> None:
    folder = write_pack("house")
    by_name = load_policies(["house"], [folder])
    assert by_name.refs == load_policies([str(folder / "house")]).refs
    assert by_name.refs == load_policies([str(folder / "house" / "policy.yaml")]).refs
    assert set(available_packs([folder])) == {*available_packs(), "house"}


def test_a_single_file_in_a_folder_is_a_pack(tmp_path: Path, minimal: str) -> None:
    (tmp_path / "single.yaml").write_text(minimal.replace("NAME", "single"), encoding="utf-8")
    assert load_policies(["single"], [tmp_path]).refs[0].id == "single"


def test_a_shipped_pack_cannot_be_shadowed(write_pack: Callable[..., Path]) -> None:
    folder = write_pack("baseline")
    with pytest.raises(ConfigurationError, match="two policy packs are called 'baseline'"):
        load_policies(["baseline"], [folder])
    with pytest.raises(PolicyFormatError, match="loaded already"):
        load_policies(["baseline", str(folder / "baseline")])


def test_the_same_pack_twice_judges_once(write_pack: Callable[..., Path]) -> None:
    folder = write_pack("house")
    assert len(load_policies(["house", "house", str(folder / "house")], [folder]).packs) == 1


def test_what_a_pack_extends_is_loaded_before_it(write_pack: Callable[..., Path], minimal: str) -> None:
    write_pack("a", minimal.replace("terms:", "extends: [baseline]\nterms:", 1))
    folder = write_pack("b", minimal.replace("terms:", "extends: [a, ../a]\nterms:", 1))
    assert [ref.id for ref in load_policies(["b"], [folder]).refs] == ["baseline", "a", "b"]


def test_circles_are_refused_and_named(write_pack: Callable[..., Path], minimal: str) -> None:
    write_pack("a", minimal.replace("terms:", "extends: [b]\nterms:", 1))
    write_pack("b", minimal.replace("terms:", "extends: [c]\nterms:", 1))
    folder = write_pack("c", minimal.replace("terms:", "extends: [a]\nterms:", 1))
    with pytest.raises(PolicyFormatError, match="a -> b -> c -> a") as caught:
        load_policies(["a"], [folder])
    assert caught.value.key == "extends"
    own = write_pack("own", minimal.replace("terms:", "extends: [own]\nterms:", 1))
    with pytest.raises(PolicyFormatError, match="own -> own"):
        load_policies(["own"], [own])


def test_a_missing_base_names_the_pack_that_wants_it(write_pack: Callable[..., Path], minimal: str) -> None:
    folder = write_pack("house", minimal.replace("terms:", "extends: [gone]\nterms:", 1))
    with pytest.raises(PolicyFormatError, match=r"house/policy.yaml: extends: .*'gone'"):
        load_policies(["house"], [folder])


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("effect: deny", "efect: deny", "rules[0].efect", "Did you mean effect?"),
        ("effect: deny", "effect: refuse", "rules[0].effect", "'deny'"),
        ("stage: prompt", "stage: promt", "rules[0].stage", "'prompt'"),
        ("stage: prompt", "stage: output", "rules[0].when", "a fact that is known at this stage"),
        ("found.rain", "found.rian", "rules[0].when", "did you mean found.rain?"),
        ("found.rain", "fond.rain", "rules[0].when", "did you mean found.rain?"),
        ("found.rain", "{found: rain}", "rules[0].when", "text"),
        ("found.rain", "{any: [{found: rain}]}", "rules[0].when", "a mapping with any"),
        ("found.rain", "true", "rules[0].when", "text"),
        ("found.rain", "''", "rules[0].when", "text that is not empty"),
        ("found.rain", "found.rain &&", "rules[0].when", "a condition in CEL"),
        ("found.rain", "found.rain == 1", "rules[0].when", "operands that fit together"),
        ("found.rain", "score.nudity >= 0.5", "rules[0].when", "a fact that is known at this stage"),
        ("found.rain", "found_in.promt.rain", "rules[0].when", "did you mean found_in.prompt.rain?"),
        ("found.rain", "request.prompt", "rules[0].when", "a condition, which is true or false"),
        ("found.rain", "1 < 2", "rules[0].when", "a condition that asks about a fact"),
        ("found.rain", "asset.width > 1", "rules[0].when", "a fact that is known at this stage"),
        ("found.rain", "found.rain " + "|| found.rain " * 143, "rules[0].when", "at most 2000 characters"),
        ("because: it might rain", "because: ''", "rules[0].because", "text that is not empty"),
        ("because: it might rain", "because: x\n    on_error: allow", "rules[0].on_error", "'deny'"),
        ("because: it might rain", "because: x\n    on_error: apply", "rules[0]", "on_error: deny or review"),
        ("because: it might rain", "because: x\n    obligations: [{code: watermrk}]", "rules[0].obligations[0]", "watermark"),
        (
            "because: it might rain",
            "because: x\n    obligations: [{code: watermark, params: {depth: 3}}]",
            "rules[0].obligations[0]",
            "parameters of watermark: none",
        ),
        ("version: 1.0.0", "version: 1.0", "version", "text"),
        ("format: sdsafe.policy/1", "format: sdsafe.policy/2", "format", "sdsafe.policy/1"),
        ("id: NAME", "id: builtin", "id", "another id"),
        ("id: NAME", "id: other", "id", "'house'"),
        ("[umbrella]", "[]", "terms[0]", "terms, or a file with terms"),
        ("[umbrella]", "[umbrella, 7]", "terms[0].terms[1]", "a mapping"),
        ("[umbrella]", "['...']", "terms[0]", "a letter or digit"),
        ("[umbrella]", '["\\u200b"]', "terms[0]", "a letter or digit"),
        ("category: rain", "category: nudity", "terms[0].category", "a scored category"),
        ("rules:", "categories: {rain: {stage: output, scored: true, description: x}}\nrules:", "terms[0].category", "scored"),
        ("rules:", "categories: {mud: {stage: prompt, scored: false, description: x}}\nrules:", "categories.mud", "check"),
        ("  - id: no-rain", "  - {id: no-rain, stage: prompt, when: found.rain, effect: deny, because: x}\n  - id: no-rain", "", "'no-rain' twice"),
    ],
)  # fmt: skip
def test_every_mistake_names_key_expected_and_found(
    write_pack: Callable[..., Path], minimal: str, old: str, new: str, key: str, says: str
) -> None:
    assert old in minimal
    folder = write_pack("house", minimal.replace(old, new, 1))
    with pytest.raises(PolicyFormatError) as caught:
        load_policies(["house"], [folder])
    assert caught.value.file == "house/policy.yaml"
    assert caught.value.key == key
    assert says in f"{caught.value} {caught.value.hint}"
    assert str(folder) not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "just text", "format: 1"])
def test_a_file_that_is_no_pack_is_refused(write_pack: Callable[..., Path], text: str) -> None:
    with pytest.raises(PolicyFormatError):
        load_policies(["house"], [write_pack("house", text)])


def test_a_pack_without_rules_alone_is_refused_and_with_another_is_fine(
    write_pack: Callable[..., Path], minimal: str
) -> None:
    folder = write_pack("words", minimal[: minimal.index("rules:")])
    with pytest.raises(ConfigurationError, match="none of the policy packs has a rule"):
        load_policies(["words"], [folder])
    assert len(load_policies(["words", "baseline"], [folder]).packs) == 2


class TestDigest:
    def digest(self, write_pack: Callable[..., Path], text: str, **others: str) -> str:
        return load_policies(["house"], [write_pack("house", text, **others)]).refs[0].digest

    def test_layout_order_and_comments_do_not_count(self, write_pack: Callable[..., Path], minimal: str) -> None:
        reordered = minimal.replace("title: A pack for tests\n", "").replace(
            "rules:", "# a comment\ntitle: 'A pack for tests'\nrules:"
        )
        assert self.digest(write_pack, minimal) == self.digest(write_pack, reordered)

    @pytest.mark.parametrize(
        ("old", "new"), [("umbrella", "umbrellas"), ("effect: deny", "effect: review"), ("1.0.0", "1.0.1")]
    )
    def test_content_counts(self, write_pack: Callable[..., Path], minimal: str, old: str, new: str) -> None:
        assert self.digest(write_pack, minimal) != self.digest(write_pack, minimal.replace(old, new))

    def test_thresholds_count_to_the_last_digit(self, write_pack: Callable[..., Path], minimal: str) -> None:
        text = minimal + "  - {id: n, stage: output, when: score.nudity >= 0.1, effect: deny, because: x}\n"
        assert self.digest(write_pack, text) != self.digest(write_pack, text.replace("0.1", "0.10000000000000002"))
        assert self.digest(write_pack, text) != self.digest(write_pack, text.replace("0.1", "1e-1"))  # text, as written

    def test_a_term_file_counts(self, write_pack: Callable[..., Path], minimal: str) -> None:
        text = minimal.replace("terms: [umbrella]", "file: words.txt")
        assert self.digest(write_pack, text, words_txt="umbrella\n") != self.digest(
            write_pack, text, words_txt="coat\n"
        )


class TestTermFiles:
    def entries(self, folder: Path) -> list[str]:
        return [entry.term for entry in load_policies(["house"], [folder]).entries()]

    def test_text_files_hold_one_term_a_line(self, write_pack: Callable[..., Path], minimal: str) -> None:
        text = minimal.replace("terms: [umbrella]", "file: words.txt\n    terms: [first]")
        folder = write_pack("house", text, words_txt="\ufeff# comment\numbrella\r\n\n  rain coat  \n")
        assert self.entries(folder) == ["first", "umbrella", "rain coat"]

    def test_yaml_files_hold_terms_with_aliases(self, write_pack: Callable[..., Path], minimal: str) -> None:
        text = minimal.replace("terms: [umbrella]", "file: words.yaml")
        folder = write_pack("house", text, words_yaml="- umbrella\n- {term: coat, aliases: [parka]}\n")
        assert self.entries(folder) == ["umbrella", "coat", "parka"]

    @pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "words.json", "a/../../b.txt", ".hidden.txt"])
    def test_names_outside_the_pack_are_refused(self, write_pack: Callable[..., Path], minimal: str, name: str) -> None:
        with pytest.raises(PolicyFormatError, match=r"terms\[0\]\.file"):
            load_policies(["house"], [write_pack("house", minimal.replace("terms: [umbrella]", f"file: {name}"))])

    def test_links_that_lead_outside_are_refused(self, write_pack: Callable[..., Path], minimal: str) -> None:
        folder = write_pack("house", minimal.replace("terms: [umbrella]", "file: words.txt"))
        (folder / "house" / "words.txt").symlink_to("/etc/hostname")
        with pytest.raises(PolicyFormatError, match="inside the pack's folder"):
            load_policies(["house"], [folder])

    def test_missing_empty_and_undecodable_files_are_refused(
        self, write_pack: Callable[..., Path], minimal: str
    ) -> None:
        folder = write_pack("house", minimal.replace("terms: [umbrella]", "file: words.txt"))
        with pytest.raises(PolicyFormatError, match=r"house/words\.txt.*a file that can be read"):
            load_policies(["house"], [folder])
        words = folder / "house" / "words.txt"
        words.write_text("# nothing\n", encoding="utf-8")
        with pytest.raises(PolicyFormatError, match="at least one term"):
            load_policies(["house"], [folder])
        words.write_bytes(b"caf\xe9\n")
        with pytest.raises(PolicyFormatError, match="UTF-8"):
            load_policies(["house"], [folder])
        words.write_text("x" * 201, encoding="utf-8")
        with pytest.raises(PolicyFormatError, match="200 characters"):
            load_policies(["house"], [folder])

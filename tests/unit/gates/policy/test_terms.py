from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from sdsafe.core.request import GenerationRequest
from sdsafe.errors import PolicyFormatError
from sdsafe.gates.policy._misspelling import MOST_TERMS
from sdsafe.gates.policy.check import LexiconCheck
from sdsafe.gates.policy.lexicon import Lexicon
from sdsafe.gates.policy.loader import load_policies
from sdsafe.gates.policy.model import Term
from sdsafe.gates.policy.terms import LONGEST_TERM, read_shared, read_terms, shared_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL = [
    "agency",
    "artist_dead",
    "artist_living",
    "brand",
    "fictional_character",
    "hate_symbol",
    "minor",
    "news_event",
    "real_person",
    "self_harm",
    "sexual_explicit",
    "violence_graphic",
]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Lexicon:
    folder = tmp_path_factory.mktemp("packs") / "all"
    folder.mkdir()
    text = f"""\
        format: sdsafe.policy/1
        id: all
        version: 1.0.0
        title: Everything
        description: Every shared list.
        terms_from: [{", ".join(ALL)}]
        """
    (folder / "policy.yaml").write_text(dedent(text), encoding="utf-8")
    baseline = load_policies(["baseline", "all"], [folder.parent])
    return Lexicon(entry for entry in baseline.entries() if entry.pack == "shared")


def _categories(lexicon: Lexicon, text: str) -> set[str]:
    return {hit.entry.category for hit in lexicon.find(text)}


class TestSharedLists:
    def test_their_names_are_known(self) -> None:
        assert list(shared_names()) == ALL

    @pytest.mark.parametrize("name", ALL)
    def test_each_loads_and_says_where_it_comes_from(self, name: str) -> None:
        listed = read_shared(name)
        assert listed.category == name
        assert listed.note
        assert listed.source.startswith("Own ")
        folded = [each.casefold() for each in listed.spellings()]
        assert len(folded) == len(set(folded)), [each for each in folded if folded.count(each) > 1]

    def test_the_big_ones_hold_a_few_hundred(self) -> None:
        sizes = {name: len(read_shared(name).terms) for name in ALL}
        assert min(sizes[name] for name in ("artist_living", "artist_dead", "real_person", "brand")) > 200
        assert sizes["fictional_character"] > 200
        assert sum(sizes.values()) < 3000

    def test_nobody_is_listed_as_living_and_dead(self) -> None:
        living, dead = (
            set(map(str.casefold, read_shared(f"artist_{state}").spellings())) for state in ("living", "dead")
        )
        assert living.isdisjoint(dead)

    def test_the_dead_have_died_and_the_living_have_not(self) -> None:
        living, dead = (read_shared(f"artist_{state}").terms for state in ("living", "dead"))
        assert not any(isinstance(term, Term) and term.died for term in living)
        for term in dead:
            assert isinstance(term, Term)
            assert term.died or term.term == "Artemisia Gentileschi", term  # nobody knows when she died
            if term.born and term.died:
                assert 15 < term.died - term.born < 105, term

    def test_each_term_finds_itself(self, everything: Lexicon) -> None:
        for name in ALL:
            for text in read_shared(name).spellings():
                assert name in _categories(everything, f"x, {text} ."), text

    @pytest.mark.parametrize(
        ("prompt", "category", "marked"),
        [
            ("a castle by greg rutkowski, artstation", "artist_living", "greg rutkowski"),
            ("in the style of Vincent Van-Gogh", "artist_dead", "Vincent Van-Gogh"),
            ("photo by Annie Leibovits", "artist_living", "Annie Leibovits"),
            ("portrait of Angela Merkel", "real_person", "Angela Merkel"),
            ("a M1ckey M0use mug", "fictional_character", "M1ckey M0use"),
            ("a can of C\u043eca-C\u043ela", "brand", "C\u043eca-C\u043ela"),
            ("editorial, Getty Images watermark", "agency", "Getty Images"),
            ("the 9/11 attacks", "news_event", "9/11 attacks"),
            ("宮崎 駿 の海", "artist_living", "宮崎 駿"),
            ("一个12岁的人", "minor", "12岁"),
            ("a 15 y/o person", "minor", "15 y/o"),
        ],
    )
    def test_names_are_marked_where_they_stand(
        self, everything: Lexicon, prompt: str, category: str, marked: str
    ) -> None:
        assert marked in [
            prompt[hit.start : hit.end] for hit in everything.find(prompt) if hit.entry.category == category
        ]

    @pytest.mark.parametrize(
        "prompt",
        [
            "a kind woman with auburn hair, 35mm photograph, 8k, high-quality, photo-realistic, soft light",
            "an apple and an orange on a target, a puma and a jaguar in the amazon rainforest",
            "a ford across a shallow river, a dove on a shell, the gap between two rocks, visa stamps",
            "titian hair, a mandarin orange, a violin sonata in A minor, a minor detail in the corner",
            "rose petals and lilac, hunter green, olive branch, a will of iron, a baker and a carpenter",
            "a 21-year-old woman, 30 years old, 112 years old tree, 一位21岁的女性, 35歳の男性",
            "subway station at night, a sprite of light over a fantasy lake, a corona around the moon",
            "mars and venus over a desert, jungle, cloud, link of a chain, a vine, thunder, a neo-gothic hall",
            "ice cream 아이스크림 and 아이폰이 아닌 전화기, 少ない, 子午線",
        ],
    )
    def test_ordinary_prompts_name_nobody(self, everything: Lexicon, prompt: str) -> None:
        assert [(hit.entry.term, hit.entry.category) for hit in everything.find(prompt)] == []


class TestPacksUseThem:
    def _write(self, write_pack: Callable[..., Path], name: str, lists: str) -> Path:
        text = f"""\
            format: sdsafe.policy/1
            id: NAME
            version: 1.0.0
            title: t
            description: d
            terms_from: {lists}
            """
        return write_pack(name, text)

    def test_two_packs_with_one_list_report_a_name_once(self, write_pack: Callable[..., Path]) -> None:
        folder = self._write(write_pack, "one", "[artist_living]")
        self._write(write_pack, "two", "[brand, artist_living]")
        check = LexiconCheck(load_policies(["baseline", "one", "two"], [folder]))
        (finding,) = check.check(GenerationRequest(prompt="by Greg Rutkowski"))
        assert finding.category == "artist_living"
        assert finding.data["note"] == "born 1988"

    @pytest.mark.parametrize("lists", ["[artist_livin]", "[brand, brand]"])
    def test_unknown_or_repeated_lists_are_refused(self, write_pack: Callable[..., Path], lists: str) -> None:
        folder = self._write(write_pack, "one", lists)
        with pytest.raises(
            PolicyFormatError, match=r"one/policy.yaml: terms_from\[\d\]: expected each of these .*brand"
        ):
            load_policies(["baseline", "one"], [folder])

    def test_what_a_list_says_is_part_of_the_digest(
        self, write_pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = self._write(write_pack, "one", "[brand]")
        before = load_policies(["baseline", "one"], [folder]).refs[-1]
        changed = read_shared("brand").model_copy(update={"terms": ("another name",)})
        monkeypatch.setattr(
            "sdsafe.gates.policy.loader.read_shared", lambda name: changed if name == "brand" else read_shared(name)
        )
        assert load_policies(["baseline", "one"], [folder]).refs[-1].digest != before.digest

    def test_tolerance_is_for_short_lists(self, write_pack: Callable[..., Path]) -> None:
        text = """\
            format: sdsafe.policy/1
            id: NAME
            version: 1.0.0
            title: t
            description: d
            terms:
              - {category: x, tolerance: 1, file: words.txt}
            """
        folder = write_pack("many", text, words_txt="\n".join(f"name number {n}" for n in range(MOST_TERMS + 1)))
        with pytest.raises(PolicyFormatError, match=r"terms\[0\].tolerance: expected no tolerance .* found 5,001"):
            load_policies(["baseline", "many"], [folder])
        write_pack("many", text, words_txt="Montgolfier\n# a comment\n")
        check = LexiconCheck(load_policies(["baseline", "many"], [folder]))
        (finding,) = check.check(GenerationRequest(prompt="a mongolfier balloon"))
        assert finding.data["reading"] == "misspelling"


class TestFiles:
    def _read(self, tmp_path: Path, suffix: str, data: str | bytes) -> tuple[str | Term, ...]:
        path = tmp_path / f"list.{suffix}"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read_terms(path, f"list.{suffix}", "x")

    def test_text(self, tmp_path: Path) -> None:
        assert self._read(tmp_path, "txt", "\ufeff# names\n Ada \n\r\nBob\r\n") == ("Ada", "Bob")

    def test_csv(self, tmp_path: Path) -> None:
        data = 'Note, TERM,alias\n,Ada,\n"a, note",Bob,Bobby | Rob\n,,\n\n,"Eve, the third"\n'
        assert self._read(tmp_path, "csv", data) == (
            "Ada",
            Term(term="Bob", aliases=("Bobby", "Rob"), note="a, note"),
            "Eve, the third",
        )

    def test_yaml(self, tmp_path: Path) -> None:
        assert self._read(tmp_path, "yaml", "- Ada\n- {term: Bob, aliases: [Rob], born: 1970}\n") == (
            "Ada",
            Term(term="Bob", aliases=("Rob",), born=1970),
        )

    @pytest.mark.parametrize(
        ("suffix", "data", "message"),
        [
            ("txt", "Ada\n...\n", "line 2: expected a term with a letter or digit"),
            ("txt", "Ada\n\n" + "a" * (LONGEST_TERM + 1), "line 3: .* found 201 characters"),
            ("txt", b"Ada\nBob\n\xff\n", "line 3: expected UTF-8"),
            ("csv", "", "line 1: expected a first row .* found an empty file"),
            ("csv", "Ada\nBob\n", "line 1: expected a first row that names the columns term, alias, note"),
            ("csv", "term,aliases\n", "line 1: .* found 'term, aliases'"),
            ("csv", "term,term\n", "line 1: "),
            ("csv", "alias,note\nx,y\n", "line 1: "),
            ("csv", "term,note\nAda\n,only a note\n", "line 3: expected a term with a letter"),
            ("csv", "term\nAda, Countess\n", "line 2: expected 1 cells, found 2: quote cells with commas"),
            ("csv", 'term\n"Ada\nBob\n', "line 3: expected CSV"),
            ("csv", 'term,alias\n"Ada\nL",!|?\n', "line 3: expected a term with a letter"),
            ("csv", b"term\n\xe4da\n", "line 2: expected UTF-8"),
            ("yaml", "- Ada\n- {trm: Bob}\n", r"terms\[1\].trm: "),
            ("yaml", "- Ada\n  Bob: x\n- [\n", "line "),
        ],
    )
    def test_mistakes_are_named_with_their_line(
        self, tmp_path: Path, suffix: str, data: str | bytes, message: str
    ) -> None:
        with pytest.raises(PolicyFormatError, match=f"^list.{suffix}: {message}"):
            self._read(tmp_path, suffix, data)

    def test_files_too_large_are_not_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sdsafe.gates.policy.terms._MAX_TEXT", 10)
        with pytest.raises(PolicyFormatError, match="at most 10 bytes"):
            self._read(tmp_path, "txt", "abc\n" * 3)

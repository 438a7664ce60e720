"""Comparing packs over prompts: what is read, what counts as a change, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sdsafe.core.context import JudgementContext
from sdsafe.core.decisions import Effect
from sdsafe.core.request import GenerationRequest
from sdsafe.errors import RequestError
from sdsafe.gates.policy.diff import Prompt, compare, read_prompts
from sdsafe.gates.policy.loader import load_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TestReading:
    def test_one_prompt_a_line_and_empty_lines_do_not_count(self, tmp_path: Path) -> None:
        path = tmp_path / "p.txt"
        path.write_text("\ufeffa sea\r\n\n  \n# a heading is a prompt\n", encoding="utf-8")
        assert [(each.line, dict(each.texts)["prompt"]) for each in read_prompts(path)] == [
            (1, "a sea"),
            (4, "# a heading is a prompt"),
        ]

    def test_json_lines_may_have_every_text(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        path.write_text('{"prompt": "a", "negative_prompt": "b"}\n', encoding="utf-8")
        assert dict(read_prompts(path)[0].texts) == {"prompt": "a", "negative_prompt": "b"}

    @pytest.mark.parametrize(
        ("line", "says"),
        [("{", "not JSON"), ("[]", "an object"), ("{}", "an object"), ('{"prompt": 1}', "an object"), ("[" * 99999, "too deep"),
         ('{"promt": "a"}', "no text field 'promt'")],
    )  # fmt: skip
    def test_a_bad_line_is_named(self, tmp_path: Path, line: str, says: str) -> None:
        path = tmp_path / "p.jsonl"
        path.write_text('{"prompt": "a"}\n' + line, encoding="utf-8")
        with pytest.raises(RequestError, match=rf"p\.jsonl, line 2: .*{says}"):
            read_prompts(path)

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff"])
    def test_what_holds_no_prompt_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "p.txt").write_bytes(content)
        with pytest.raises(RequestError, match=r"p\.txt"):
            read_prompts(tmp_path / "p.txt")
        with pytest.raises(RequestError, match="cannot be read"):
            read_prompts(tmp_path / "absent.txt")


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt(line=i, texts=(("prompt", text),)) for i, text in enumerate(texts, 1)]


@pytest.fixture
def context() -> JudgementContext:
    return JudgementContext(request=GenerationRequest(prompt="not asked", negative_prompt="umbrella"))


def test_only_what_decides_counts_as_a_change(
    write_pack: Callable[..., Path], minimal: str, context: JudgementContext
) -> None:
    root = write_pack("house")
    write_pack("mild", minimal.replace("effect: deny", "effect: review"))
    write_pack("worded", minimal.replace("it might rain", "it often rains"))
    house, mild, worded = (load_policies([name], [root]) for name in ("house", "mild", "worded"))
    found = list(compare(house, mild, prompts("an umbrella", "a sea"), context))
    assert [(each.changed, each.before.effect, each.after.effect) for each in found] == [
        (True, Effect.DENY, Effect.REVIEW),
        (False, Effect.ALLOW, Effect.ALLOW),
    ]
    assert (found[0].gained, found[0].lost) == (("mild.no-rain",), ("house.no-rain",))
    assert not any(each.changed for each in compare(house, worded, prompts("an umbrella", "a sea"), context))


def test_another_obligation_is_a_change(
    write_pack: Callable[..., Path], minimal: str, context: JudgementContext
) -> None:
    text = minimal.replace("effect: deny", "effect: annotate")
    root = write_pack("plain", text)
    write_pack("marked", text + "    obligations: [{code: watermark}]\n")
    plain, marked = (load_policies([name], [root]) for name in ("plain", "marked"))
    (found,) = compare(plain, marked, prompts("an umbrella"), context)
    assert found.changed
    assert found.before.effect == found.after.effect

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from sdsafe.core.decisions import Decision, Effect, FiredRule, Obligation, PolicyRef, unite
from sdsafe.core.digests import pixels_sha256
from sdsafe.core.ids import AssetId
from sdsafe.core.pixels import is_pixels
from sdsafe.core.request import GenerationRequest

_REF = PolicyRef(id="p", version="1", digest="0" * 64)


def _decision(effect: Effect, **more: object) -> Decision:
    return Decision(effect=effect, policy=(_REF,), **more)  # type: ignore[arg-type]


class TestAssetId:
    def test_prints_and_parses(self) -> None:
        asset_id = AssetId(bytes(range(8)))
        assert str(asset_id) == "0001020304050607"
        assert AssetId.parse("0001020304050607") == asset_id

    @pytest.mark.parametrize("text", ["", "00", "g" * 16, "0" * 15, "0" * 17, " " * 16, "0x" + "0" * 14])
    def test_refuses_other_text(self, text: str) -> None:
        with pytest.raises(ValueError, match="16 hex digits"):
            AssetId.parse(text)

    def test_refuses_another_length(self) -> None:
        with pytest.raises(ValueError, match="8 bytes"):
            AssetId(b"short")


class TestPixels:
    def test_digest_is_that_of_the_raw_bytes(self) -> None:
        pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        assert pixels_sha256(pixels) == hashlib.sha256(bytes(range(18))).hexdigest()

    def test_digest_does_not_depend_on_memory_layout(self) -> None:
        pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
        assert pixels_sha256(pixels[:, ::-1]) == pixels_sha256(np.ascontiguousarray(pixels[:, ::-1]))

    @pytest.mark.parametrize(
        "value",
        [
            None,
            [[0]],
            np.zeros((2, 2), np.uint8),
            np.zeros((2, 2, 4), np.uint8),
            np.zeros((2, 2, 3)),
            np.zeros((0, 2, 3), np.uint8),
        ],
    )
    def test_shape_and_type_are_checked(self, value: object) -> None:
        assert not is_pixels(value)


class TestEffects:
    def test_the_more_severe_is_the_larger(self) -> None:
        labels = [effect.label for effect in sorted(Effect)]
        assert labels == ["allow", "annotate", "transform", "review", "deny"]

    def test_labels_round_trip(self) -> None:
        assert all(Effect.parse(effect.label) is effect for effect in Effect)

    def test_an_unknown_label_names_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match="annotate"):
            Effect.parse("permit")


class TestUnite:
    def test_the_most_severe_wins_and_the_rest_unites(self) -> None:
        rule = FiredRule(rule="r", policy="p", effect=Effect.DENY, because="x")
        first = _decision(Effect.ANNOTATE, obligations=(Obligation(code="watermark"),), errors=("e",))
        second = _decision(
            Effect.DENY, fired=(rule,), obligations=(Obligation(code="watermark"), Obligation(code="iptc"))
        )
        united = unite((first, second))
        assert united.effect is Effect.DENY
        assert united.policy == (_REF,)
        assert united.fired == (rule,)
        assert united.leading == (rule,)
        assert [o.code for o in united.obligations] == ["watermark", "iptc"]
        assert united.errors == ("e",)

    def test_nothing_to_unite_is_not_a_permission(self) -> None:
        with pytest.raises(ValueError, match="not a permission"):
            unite(())

    @pytest.mark.parametrize(("effect", "allows"), list(zip(Effect, [True, True, True, False, False], strict=True)))
    def test_review_and_deny_do_not_allow(self, effect: Effect, allows: bool) -> None:
        assert _decision(effect).allows is allows


class TestRequest:
    def test_is_frozen_with_its_parameters(self) -> None:
        source = {"eta": 0.0}
        request = GenerationRequest(prompt="x", parameters=source)
        source["eta"] = 1.0
        assert request.parameters == {"eta": 0.0}
        with pytest.raises(TypeError):
            request.parameters["eta"] = 2.0  # type: ignore[index]
        with pytest.raises(dataclasses.FrozenInstanceError):
            request.prompt = "y"  # type: ignore[misc]

    def test_every_text_that_was_given_is_listed(self) -> None:
        request = GenerationRequest(prompt="a", prompt_2="", negative_prompt="c")
        assert request.texts() == (("prompt", "a"), ("prompt_2", ""), ("negative_prompt", "c"))

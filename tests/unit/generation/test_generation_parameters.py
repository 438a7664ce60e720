from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.request import AdapterRef, ModelRef, Size, Task
from sdsafe.errors import RequestError
from sdsafe.generation.defaults import TINY_DEFAULTS
from sdsafe.generation.identity import Located
from sdsafe.generation.parameters import MAX_SEED, MAX_TEXT_BYTES, call_arguments, check_text, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdsafe.core.request import GenerationRequest

SIGNATURE = frozenset({"prompt", "negative_prompt", "width", "height", "num_inference_steps", "guidance_scale", "eta"})


def located(pipeline: str = "StableDiffusionPipeline") -> Located:
    return Located(ref=ModelRef(repo="builtin:tiny", license="Apache-2.0"), pipeline=pipeline, defaults=TINY_DEFAULTS)


def test_everything_left_open_is_filled_in_but_the_seed(ask: Callable[..., GenerationRequest]) -> None:
    resolved = resolve(ask(seed=None, size=None, steps=None), located())
    assert resolved.size == Size(width=256, height=256)
    assert (resolved.steps, resolved.guidance, resolved.scheduler) == (4, 5.0, "ddim")
    assert resolved.seed is None
    assert resolved.model.license == "Apache-2.0"


def test_what_was_said_stays(ask: Callable[..., GenerationRequest]) -> None:
    resolved = resolve(ask(guidance=0, scheduler="euler", parameters={"eta": 1}), located())
    assert (resolved.steps, resolved.guidance, resolved.scheduler) == (2, 0.0, "euler")
    assert resolved.parameters == {"eta": 1.0}
    assert isinstance(resolved.guidance, float)


def test_resolving_twice_changes_nothing(ask: Callable[..., GenerationRequest]) -> None:
    once = resolve(ask(parameters={"eta": 1}), located())
    twice = resolve(once, located())
    fields = ("prompt", "model", "size", "steps", "guidance", "scheduler", "seed", "parameters")
    assert [getattr(once, name) for name in fields] == [getattr(twice, name) for name in fields]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": Size(width=100, height=64)}, "width 100 is not divisible by 8"),
        ({"size": Size(width=64, height=68)}, "height 68 is not divisible by 8"),
        ({"size": Size(width=56, height=64)}, "width must be a whole number from 64 to 8192, found 56"),
        ({"size": Size(width=64, height=8200)}, "height must be"),
        ({"size": Size(width=64.0, height=64)}, "width must be"),
        ({"steps": 0}, "steps must be a whole number from 1 to 1000, found 0"),
        ({"steps": 1001}, "steps must be"),
        ({"steps": 2.0}, "steps must be"),
        ({"steps": True}, "steps must be"),
        ({"count": 0}, "count must be"),
        ({"count": 1001}, "count must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": MAX_SEED + 1}, "seed must be"),
        ({"seed": MAX_SEED, "count": 2}, "seed must be"),
        ({"seed": 10**5000}, "found an enormous number"),
        ({"seed": "7"}, "seed must be .* found str"),
        ({"guidance": float("nan")}, "guidance must be a number from 0 to 100, found nan"),
        ({"guidance": float("inf")}, "guidance must be"),
        ({"guidance": -0.5}, "guidance must be"),
        ({"guidance": 100.5}, "guidance must be"),
        ({"guidance": 10**400}, "guidance must be"),
        ({"guidance": True}, "guidance must be"),
        ({"guidance": "5"}, "guidance must be .* found str"),
        ({"scheduler": "warp"}, "unknown scheduler 'warp'"),
        ({"scheduler": "PNDMScheduler"}, "unknown scheduler"),
        ({"prompt_2": "x"}, "have no prompt_2"),
        ({"prompt": "a\0b"}, r"prompt holds a control character \(U\+0000\) at position 1"),
        ({"prompt": "a\x1bb"}, "control character"),
        ({"prompt": "\ud800"}, "half of a surrogate pair"),
        ({"negative_prompt": "a\uffff"}, "negative_prompt holds a control character"),
        ({"prompt": "x" * (1 << 20)}, "prompt is too long: 1048576 bytes"),
        ({"prompt": "é" * (MAX_TEXT_BYTES // 2 + 1)}, "prompt is too long"),
        ({"prompt": b"bytes"}, "prompt must be a text"),
        ({"prompt": None}, "prompt must be a text, found NoneType"),
        ({"task": Task.INPAINT}, "inpaint"),
        ({"adapters": (AdapterRef(kind="hypernetwork", repo="x"),)}, "kind of adapter"),
        ({"adapters": (AdapterRef(kind="lora", repo="x", weight=float("nan")),)}, "weight"),
        (
            {"adapters": (AdapterRef(kind="controlnet", repo="x"), AdapterRef(kind="controlnet", repo="y"))},
            "at once|2 adapters",
        ),
        ({"adapters": (AdapterRef(kind="lora", repo="x"), AdapterRef(kind="lora", repo="x"))}, "twice"),
        ({"adapters": (AdapterRef(kind="controlnet", repo="x"),)}, "control"),
        ({"parameters": {"prompt_embeds": "x"}}, "prompt_embeds"),
        ({"parameters": {"output_type": "latent"}}, "output_type"),
    ],
)
def test_bad_requests_are_refused_with_a_hint(
    ask: Callable[..., GenerationRequest], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        resolve(ask(**fields), located())
    assert caught.value.code.startswith("request.")
    assert len(str(caught.value)) < 300


def test_the_last_seed_is_still_exact(ask: Callable[..., GenerationRequest]) -> None:
    assert resolve(ask(seed=MAX_SEED - 9, count=10), located()).seed == MAX_SEED - 9


def test_bidirectional_and_other_unusual_texts_are_the_prompt_gates_business() -> None:
    for text in ("", "a\u202eb", "line\nline\ttab\r", "日本語", "\U0001f600", "x" * MAX_TEXT_BYTES, "a\u200bb"):
        check_text("prompt", text)


def test_no_message_repeats_the_prompt(ask: Callable[..., GenerationRequest]) -> None:
    for prompt in ("confidential\0", "confidential" * 10_000, "confidential\ud800"):
        with pytest.raises(RequestError) as caught:
            resolve(ask(prompt=prompt), located())
        assert "confidential" not in str(caught.value) + caught.value.hint


def test_a_negative_prompt_that_would_do_nothing_is_refused(ask: Callable[..., GenerationRequest]) -> None:
    with pytest.raises(RequestError, match="true_cfg_scale is above 1"):
        resolve(ask(negative_prompt="blur"), located("FluxPipeline"))
    resolve(ask(negative_prompt="blur", parameters={"true_cfg_scale": 4}), located("FluxPipeline"))


def test_call_arguments_are_named_as_the_pipeline_names_them(ask: Callable[..., GenerationRequest]) -> None:
    resolved = resolve(ask(negative_prompt="blur", parameters={"eta": 1}), located())
    assert call_arguments(resolved, "StableDiffusionPipeline", SIGNATURE) == {
        "prompt": "a red house",
        "negative_prompt": "blur",
        "width": 64,
        "height": 64,
        "num_inference_steps": 2,
        "guidance_scale": 5.0,
        "eta": 1.0,
    }


def test_guidance_goes_where_the_family_takes_it(ask: Callable[..., GenerationRequest]) -> None:
    resolved = resolve(ask(), located("QwenImagePipeline"))
    arguments = call_arguments(resolved, "QwenImagePipeline", SIGNATURE | {"true_cfg_scale"})
    assert arguments["true_cfg_scale"] == 5.0
    assert "guidance_scale" not in arguments


def test_what_the_class_does_not_take_is_refused_not_dropped(ask: Callable[..., GenerationRequest]) -> None:
    resolved = resolve(ask(negative_prompt="blur"), located("SanaPipeline"))
    with pytest.raises(RequestError, match="SanaPipeline does not take negative_prompt"):
        call_arguments(resolved, "SanaPipeline", SIGNATURE - {"negative_prompt"})


def test_an_unresolved_request_is_never_called(ask: Callable[..., GenerationRequest]) -> None:
    for open_field in ("seed", "size", "steps"):
        with pytest.raises(RequestError, match="not resolved"):
            call_arguments(ask(**{"guidance": 5.0, open_field: None}), "StableDiffusionPipeline", SIGNATURE)

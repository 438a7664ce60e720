from __future__ import annotations

import math

import pytest

from sdsafe.errors import RequestError
from sdsafe.generation.call_parameters import Role, classify
from sdsafe.generation.families import FAMILIES, check_parameters, family_of

SD = "StableDiffusionPipeline"


@pytest.mark.parametrize(
    ("pipeline", "family"),
    [
        ("StableDiffusionPipeline", "stable-diffusion"),
        ("StableDiffusionImg2ImgPipeline", "stable-diffusion"),
        ("StableDiffusionXLPipeline", "stable-diffusion-xl"),
        ("StableDiffusionXLPAGPipeline", "stable-diffusion-xl"),
        ("StableDiffusion3Pipeline", "stable-diffusion-3"),
        ("LatentConsistencyModelPipeline", "latent-consistency"),
        ("FluxPipeline", "flux"),
        ("Flux2Pipeline", "flux-2"),
        ("FluxKontextPipeline", "flux-kontext"),
        ("QwenImageEditPlusPipeline", "qwen-image-edit"),
        ("StableDiffusionInstructPix2PixPipeline", "instruct-pix2pix"),
        ("QwenImagePipeline", "qwen-image"),
        ("SanaPipeline", "generic"),
        ("Kandinsky3Pipeline", "generic"),
    ],
)
def test_class_names_lead_to_families(pipeline: str, family: str) -> None:
    assert family_of(pipeline).name == family


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        ("HeliosPipeline", "video"),
        ("StableVideoDiffusionPipeline", "video"),
        ("WanPipeline", "video"),
        ("ShapEPipeline", "shapes"),
        ("StableAudioPipeline", "sound"),
        ("AudioLDM2Pipeline", "sound"),
        ("MusicLDMPipeline", "sound"),
        ("DanceDiffusionPipeline", "sound"),
        ("KandinskyV22CombinedPipeline", "second model"),
        ("KandinskyCombinedPipeline", "second model"),
        ("StableCascadeCombinedPipeline", "second model"),
        ("StableDiffusionControlNetPipeline", "picture"),
        ("FluxControlPipeline", "picture"),
    ],
)
def test_pipelines_without_a_way_out_are_refused_by_name(pipeline: str, why: str) -> None:
    with pytest.raises(RequestError, match=why) as caught:
        family_of(pipeline)
    assert pipeline in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("prompt_embeds", "text check"),
        ("negative_prompt_embeds", "text check"),
        ("negative_prompt_embeds_2", "text check"),
        ("pooled_prompt_embeds", "text check"),
        ("negative_pooled_prompt_embeds", "text check"),
        ("prompt_embeds_pooled", "text check"),
        ("prompt_attention_mask", "text check"),
        ("negative_prompt_2", "no prompt check sees"),
        ("system_prompt", "no prompt check sees"),
        ("prompt_upsampling", "after it was checked"),
        ("clean_caption", "after it was checked"),
        ("latents", "recorded seed"),
        ("image_latents", "recorded seed"),
        ("output_type", "form of the output"),
        ("return_dict", "form of the output"),
        ("denoising_end", "form of the output"),
        ("callback", "callbacks"),
        ("callback_on_step_end", "callbacks"),
        ("callback_on_step_end_tensor_inputs", "callbacks"),
        ("generator", "field seed"),
        ("num_images_per_prompt", "field count"),
        ("guidance_scale", "field guidance"),
        ("prompt", "field prompt"),
        ("height", "field size"),
        ("ip_adapter_image", "input gate"),
        ("ip_adapter_image_embeds", "text check"),
        ("image", "input gate"),
        ("control_image", "input gate"),
        ("cross_attention_kwargs", "layers"),
        ("joint_attention_kwargs", "layers"),
        ("timesteps", "schedule"),
        ("sigmas", "schedule"),
        ("original_size", "derived from size"),
    ],
)
def test_ways_past_the_gates_are_refused_with_their_reason(name: str, why: str) -> None:
    for pipeline in (SD, "StableDiffusionXLPipeline", "FluxPipeline", "SanaPipeline"):
        with pytest.raises(RequestError, match=why) as caught:
            check_parameters({name: 1}, pipeline, accepted={name})
        assert name in str(caught.value)
        assert pipeline in caught.value.hint


def test_an_unknown_parameter_names_itself_and_the_allowed_ones() -> None:
    with pytest.raises(RequestError, match="unknown parameter 'wobble'") as caught:
        check_parameters({"wobble": 1}, SD)
    assert "clip_skip, eta, guidance_rescale" in caught.value.hint


def test_a_known_number_of_another_family_is_unknown_here() -> None:
    assert check_parameters({"true_cfg_scale": 2}, "FluxPipeline") == {"true_cfg_scale": 2.0}
    with pytest.raises(RequestError, match="true_cfg_scale"):
        check_parameters({"true_cfg_scale": 2}, SD)


def test_the_parameter_that_guidance_fills_cannot_be_set_twice() -> None:
    with pytest.raises(RequestError, match="true_cfg_scale"):
        check_parameters({"true_cfg_scale": 2}, "QwenImagePipeline")


def test_the_generic_family_takes_what_table_and_signature_both_know() -> None:
    accepted = {"prompt", "cfg_normalization", "prompt_embeds", "something_new"}
    assert check_parameters({"cfg_normalization": True}, "SanaPipeline", accepted) == {"cfg_normalization": True}
    for name in ("eta", "something_new"):
        with pytest.raises(RequestError, match=name):
            check_parameters({name: 0.5}, "SanaPipeline", accepted)


def test_pag_classes_take_their_own_numbers() -> None:
    assert check_parameters({"pag_scale": 3}, "StableDiffusionXLPAGPipeline") == {"pag_scale": 3.0}
    with pytest.raises(RequestError):
        check_parameters({"pag_scale": 3}, "StableDiffusionXLPipeline")


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1, "0.5", True])
def test_numbers_outside_their_range_are_refused(value: float | str) -> None:
    with pytest.raises(RequestError, match="a number from 0 to 1"):
        check_parameters({"eta": value}, SD)


@pytest.mark.parametrize("value", [0, 25, 1.0, True, "2"])
def test_whole_numbers_must_be_whole(value: float | str) -> None:
    with pytest.raises(RequestError, match="a whole number from 1 to 24"):
        check_parameters({"clip_skip": value}, SD)


@pytest.mark.parametrize("value", [0, 1, "true"])
def test_switches_must_be_true_or_false(value: int | str) -> None:
    with pytest.raises(RequestError, match="true or false"):
        check_parameters({"cfg_normalization": value}, "ZImagePipeline")


def test_every_number_that_a_family_names_is_classified_as_one() -> None:
    for family in FAMILIES:
        for name in family.numbers or ():
            parameter = classify(name)
            assert parameter is not None, (family.name, name)
            assert parameter.role is Role.NUMERIC


def test_what_nobody_has_looked_at_is_not_classified() -> None:
    assert classify("something_new") is None

"""Laws of everything that is decided about a request before torch is imported."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from sdsafe.core.request import GenerationRequest, ModelRef, Size
from sdsafe.errors import RequestError
from sdsafe.generation.call_parameters import Role, classify
from sdsafe.generation.defaults import TINY_DEFAULTS
from sdsafe.generation.families import FAMILIES, check_parameters
from sdsafe.generation.identity import Located
from sdsafe.generation.layout import read_components, select_weights
from sdsafe.generation.parameters import MAX_SEED, check_text, resolve
from sdsafe.generation.schedulers import SCHEDULERS, config_digest

SD = "StableDiffusionPipeline"
LOCATED = Located(ref=ModelRef(repo="builtin:tiny"), pipeline=SD, defaults=TINY_DEFAULTS)
NUMERIC = ("eta", "guidance_rescale", "clip_skip")
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4))
MOSTLY_SIDES = st.one_of(st.integers(0, 1100).map(lambda n: n * 8), ANYTHING)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.one_of(st.text(alphabet=st.characters(), max_size=20), ANYTHING),
        "negative_prompt": st.one_of(st.text(max_size=20), st.none()),
        "seed": st.one_of(st.integers(-1, MAX_SEED + 1), ANYTHING),
        "count": st.one_of(st.integers(-1, 1002), ANYTHING),
        "steps": st.one_of(st.integers(-1, 1002), ANYTHING),
        "guidance": st.one_of(st.floats(-1, 101), ANYTHING),
        "size": st.one_of(st.none(), st.builds(Size, width=MOSTLY_SIDES, height=MOSTLY_SIDES)),
        "scheduler": st.one_of(st.sampled_from([*SCHEDULERS, "DDIMScheduler", "x"]), st.none()),
        "parameters": st.dictionaries(st.sampled_from([*NUMERIC, "latents", "wobble"]), ANYTHING, max_size=2),
    },
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=12), inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(FIELDS)
def test_a_request_is_refused_with_a_typed_error_or_within_every_limit(fields: dict[str, object]) -> None:
    try:
        resolved = resolve(GenerationRequest(**({"prompt": "x"} | fields)), LOCATED)  # type: ignore[arg-type]
    except RequestError as error:
        assert error.code.startswith("request.")  # noqa: PT017 - both outcomes are right; this is what one must hold
        return
    assert isinstance(resolved.prompt, str)
    assert resolved.size is not None
    assert all(64 <= side <= 8192 and side % 8 == 0 for side in (resolved.size.width, resolved.size.height))
    assert resolved.steps is not None
    assert 1 <= resolved.steps <= 1000
    assert resolved.guidance is not None
    assert 0 <= resolved.guidance <= 100
    assert resolved.seed is None or 0 <= resolved.seed + resolved.count - 1 <= MAX_SEED
    assert resolved.scheduler in SCHEDULERS or resolved.scheduler == "DDIMScheduler"
    assert set(resolved.parameters) <= set(NUMERIC)
    again = resolve(resolved, LOCATED)
    names = ("size", "steps", "guidance", "seed", "count", "scheduler", "parameters", "prompt", "model")
    assert [getattr(again, name) for name in names] == [getattr(resolved, name) for name in names]


@given(st.text(alphabet=st.characters(), max_size=40))
def test_a_text_that_passes_can_be_encoded_and_written_as_xml(text: str) -> None:
    try:
        check_text("prompt", text)
    except RequestError:
        return
    node = ET.Element("prompt")
    node.text = text
    read = ET.fromstring(ET.tostring(node, encoding="utf-8")).text or ""  # noqa: S314 - written one line above
    assert read == text.replace("\r\n", "\n").replace("\r", "\n")


@given(
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz_0123456789"), max_size=12),
    st.sampled_from(["prompt_embeds", "latents", "callback", "ip_adapter_image", "attention_kwargs", "output_type"]),
    st.sampled_from([f.classes[0].replace("*", "Pipeline").replace("[A-Z]", "X") for f in FAMILIES]),
)
def test_nothing_built_from_a_dangerous_word_is_ever_accepted(other: str, word: str, pipeline: str) -> None:
    for name in (f"{other}_{word}", f"{word}_{other}", word):
        parameter = classify(name)
        assert parameter is None or parameter.role is not Role.NUMERIC
        try:
            check_parameters({name: 1}, pipeline, accepted={name})
        except RequestError:
            continue
        raise AssertionError(name)


@given(st.dictionaries(st.text(max_size=6), st.one_of(st.floats(), st.integers(), st.text(max_size=4)), max_size=6))
def test_the_digest_of_a_configuration_depends_on_values_not_on_order(config: dict[str, object]) -> None:
    assert config_digest(config) == config_digest(dict(reversed(config.items())))
    public = {key: value for key, value in config.items() if not key.startswith("_")}
    assert config_digest(config) == config_digest(public)
    for key, value in public.items():
        if isinstance(value, float) and math.isfinite(value):
            assert config_digest(public | {key: math.nextafter(value, math.inf)}) != config_digest(public)


@given(JSON)
def test_any_json_is_an_index_or_a_typed_error(value: object) -> None:
    for index in (value, {"_class_name": SD} | value if isinstance(value, dict) else value):
        try:
            components = read_components(index)
        except RequestError as error:
            assert error.code in {"model.malformed", "model.custom-code"}  # noqa: PT017 - as above
        else:
            assert all(name.isidentifier() for name in components.loaded)


@given(
    st.lists(
        st.builds(
            "{}/{}{}".format,
            st.sampled_from(["unet", "vae", "other"]),
            st.sampled_from(["diffusion_pytorch_model", "model", "model-00001-of-00002", "model.fp16", "x"]),
            st.sampled_from([".safetensors", ".bin", ".ckpt", ".json", ".fp16.safetensors"]),
        ),
        max_size=12,
        unique=True,
    ),
    st.randoms(use_true_random=False),
)
def test_only_safetensors_of_components_are_chosen_whatever_the_order(names: list[str], random: object) -> None:
    components = read_components(
        {"_class_name": SD, "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    )
    try:
        selection = select_weights(names, components)
    except RequestError as error:
        assert error.code in {"model.pickle-only", "model.incomplete", "model.malformed"}  # noqa: PT017 - as above
        return
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert select_weights(shuffled, components) == selection
    assert all(name.endswith(".safetensors") and name.split("/")[0] in {"unet", "vae"} for name in selection.files)
    assert {name.split("/")[0] for name in selection.files} == {"unet", "vae"}

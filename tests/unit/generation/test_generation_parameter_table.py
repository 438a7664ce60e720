"""Every call parameter of every class that diffusers' AutoPipelines know has been looked at by somebody."""

from __future__ import annotations

import inspect

import pytest

from sdsafe.generation import _libraries
from sdsafe.generation.call_parameters import Role, classify
from sdsafe.generation.families import family_of

assert _libraries  # its log filter comes before diffusers

from diffusers import DanceDiffusionPipeline  # noqa: E402 - after the filter
from diffusers.pipelines import auto_pipeline  # noqa: E402 - the same

MAPPINGS = {
    "text to image": auto_pipeline.AUTO_TEXT2IMAGE_PIPELINES_MAPPING,
    "image to image": auto_pipeline.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING,
    "inpainting": auto_pipeline.AUTO_INPAINT_PIPELINES_MAPPING,
    "text to sound": {**auto_pipeline.AUTO_TEXT2AUDIO_PIPELINES_MAPPING, "legacy": DanceDiffusionPipeline},
}
PICTURES = {way: classes for way, classes in MAPPINGS.items() if way != "text to sound"}


def _parameters(way: str) -> dict[str, set[str]]:
    """Parameter to the classes that have it."""
    found: dict[str, set[str]] = {}
    for cls in MAPPINGS[way].values():
        for name in inspect.signature(cls.__call__).parameters:
            if name != "self":
                found.setdefault(name, set()).add(cls.__name__)
    return found


@pytest.mark.parametrize("way", MAPPINGS)
def test_every_parameter_is_classified(way: str, record_property: pytest.RecordProperty) -> None:
    found = _parameters(way)
    unseen = {name: sorted(classes) for name, classes in found.items() if classify(name) is None}
    count = f"{len(found) - len(unseen)} of {len(found)} parameters of {len(set(MAPPINGS[way].values()))} classes"
    record_property("classified", count)
    print(f"{way}: {count} are classified")  # noqa: T201 - the count that releases quote
    assert not unseen, f"{count}; new to us: {unseen}"


def test_no_class_has_a_parameter_by_a_name_of_ours() -> None:
    taken = {
        name for way in MAPPINGS for name in _parameters(way) if (known := classify(name)) and known.role is Role.OURS
    }
    assert taken == set()


def test_pictures_go_in_by_two_names_only() -> None:
    """All others stay refused, whatever a family would take: their gate does not exist yet."""
    for way in ("image to image", "inpainting"):
        pictures = {name for name in _parameters(way) if "image" in name and "num_images" not in name}
        for name in pictures:
            known = classify(name)
            assert known is not None
            assert known.why, name


def test_every_class_has_a_family_or_a_reason() -> None:
    from sdsafe.errors import RequestError

    for cls in set(MAPPINGS["text to image"].values()):
        try:
            assert family_of(cls.__name__).name
        except RequestError as refused:
            assert refused.hint  # noqa: PT017 - one of two good ends


def test_every_class_of_sound_and_video_is_refused_for_pictures_by_name() -> None:
    from sdsafe.errors import RequestError

    mappings = [each for name, each in vars(auto_pipeline).items() if name.startswith("AUTO_")]
    others = {cls for each in mappings for cls in each.values()} - {
        c for each in PICTURES.values() for c in each.values()
    }
    assert len(others) >= 10  # of sound alone there are four
    sounding = {cls.__name__ for cls in MAPPINGS["text to sound"].values()}
    for cls in others:
        why = "the task audio" if cls.__name__ in sounding else "no way out yet"
        with pytest.raises(RequestError, match=why):
            family_of(cls.__name__)


def test_of_a_class_of_sound_nothing_is_taken_but_the_numbers_of_its_family() -> None:
    """Embeddings, latents, callbacks, forms of output, other texts, sounds that go in: each by its name."""
    from sdsafe.errors import RequestError
    from sdsafe.generation.families import checked_value
    from sdsafe.generation.sound_families import sound_family_of

    tried = 0
    for cls in MAPPINGS["text to sound"].values():
        family = sound_family_of(cls.__name__)
        for name in set(inspect.signature(cls.__call__).parameters) - family.numbers:
            tried += 1
            with pytest.raises(RequestError):
                checked_value(name, 1, cls.__name__, family.numbers)
    assert tried > 70


def test_every_class_of_sound_has_a_family_that_knows_its_length_and_numbers() -> None:
    from sdsafe.generation.sound_families import SOUND_FAMILIES, sound_family_of

    for cls in MAPPINGS["text to sound"].values():
        family, accepted = sound_family_of(cls.__name__), set(inspect.signature(cls.__call__).parameters)
        assert {family.length, *family.texts, *family.numbers} <= accepted, cls
        assert ("guidance_scale" in accepted) == (family.guidance is not None), cls
    assert len(SOUND_FAMILIES) == len(set(MAPPINGS["text to sound"].values()))

"""The twelve known ways past a naive wrapper around diffusers, each tried on this one with every family that runs here.

Each ends in a refusal or a typed error that leaves no file and no ledger entry, or in an asset that verifies as
trusted, marked and recorded. The model, the mark, the signer and the records are real.
"""

from __future__ import annotations

import copy
import json
import pickle  # noqa: TID251 - to show that it does not work
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe import plugins
from sdsafe._internal import images
from sdsafe.api import open_validator, read_input
from sdsafe.core.places import Places
from sdsafe.core.report import LedgerState, SoftState, Verdict
from sdsafe.core.request import GenerationRequest, ModelRef, Size, Task
from sdsafe.core.states import Recorded, Refused
from sdsafe.errors import CancelledError, RequestError, SdsafeError, WatermarkError
from sdsafe.generation._diffusers import DiffusersGenerator
from sdsafe.pipeline import Parts, Pipeline
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.settings import Settings
from sdsafe.testing.fakes import Behaviour, FakeOutputCheck
from sdsafe.testing.pipeline import fake_parts
from sdsafe_cli.main import run as run_sdsafe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

CANARY = "sdsafe-canary-refuse-me"
FAMILIES = ("builtin:tiny", "sdxl", "sd3", "flux", "chroma")
"""Stable Diffusion, and small pipelines of other families (see the fixtures of these names)."""

REQUEST = GenerationRequest(
    prompt="a red house on green hills",
    model=ModelRef(repo="builtin:tiny"),
    seed=7,
    size=Size(width=256, height=256),
    steps=2,
    intended_use="private",  # folders of unknown licence are tried below
)


@pytest.fixture(scope="module", params=FAMILIES)
def ask(request: pytest.FixtureRequest) -> GenerationRequest:
    """A request for one picture of one family."""
    name: str = request.param
    return replace(REQUEST, model=ModelRef(repo=name if ":" in name else request.getfixturevalue(name)))


@dataclass(frozen=True)
class House:
    """A pipeline with the parts it was made of, and somebody who checks what it releases."""

    parts: Parts
    settings: Settings

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(self.parts)

    def entries(self) -> int:
        return len(list(self.parts.ledger.entries()))  # type: ignore[attr-defined]

    def run(self, request: GenerationRequest = REQUEST, **how: Any) -> Any:
        (outcome,) = self.pipeline.run(request, **how)
        return outcome

    def assert_proven(self, outcome: object) -> Recorded:
        assert isinstance(outcome, Recorded), outcome
        root = self.settings.places.keys / "root.pem"
        report = open_validator(self.settings, trust=[root], check_watermark=True).verify(outcome.asset)
        seen = report.evidence
        assert (report.verdict, seen.soft, seen.ledger) == (Verdict.TRUSTED, SoftState.MATCH, LedgerState.INCLUDED)
        return outcome

    def assert_refuses(self, error: type[Exception], request: GenerationRequest, **how: Any) -> Any:
        before = self.entries()
        with pytest.raises(error) as caught:
            self.pipeline.run(request, **how)
        assert self.entries() == before
        return caught.value


@pytest.fixture(scope="module", autouse=True)
def _threads() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("bypasses")
    places = Places(state=folder / "state", cache=folder / "cache")
    settings = Settings.load({"HOME": str(folder)}, site=folder / "none.toml", places=places)
    parts = fake_parts(
        places,
        generator=DiffusersGenerator(device="cpu", threads=1),
        watermarker=plugins.load("sdsafe.watermarkers", settings.watermarker, places),
    )
    return House(parts=parts, settings=settings)


@pytest.fixture(scope="module")
def released(house: House) -> Recorded:
    return house.assert_proven(house.run())


def test_01_latents_as_output(house: House, ask: GenerationRequest) -> None:
    error = house.assert_refuses(RequestError, replace(ask, parameters={"output_type": "latent"}))
    assert error.code == "request.parameter"
    with pytest.raises(TypeError):
        GenerationRequest(prompt="waves", output_type="latent")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        house.pipeline.run(ask, output_type="latent")  # type: ignore[call-arg]


def test_02_a_callback_that_takes_the_latents(house: House, ask: GenerationRequest) -> None:
    taken: list[tuple[object, ...]] = []

    class Curious:
        def step(self, *told: object) -> None:
            taken.append(told)

        def cancelled(self, *told: object) -> bool:
            taken.append(told)
            return False

    for name in ("callback_on_step_end", "callback", "callback_on_step_end_tensor_inputs"):
        house.assert_refuses(RequestError, replace(ask, parameters={name: taken.append}))  # type: ignore[dict-item]
    house.assert_proven(house.run(ask, watch=Curious()))
    assert {type(value) for told in taken for value in told} == {int}


def test_03_the_checker_taken_away_at_run_time(house: House, ask: GenerationRequest) -> None:
    for owner in (house.pipeline, house.parts.generator):
        with pytest.raises(AttributeError):
            owner.safety_checker = None  # type: ignore[union-attr]
    for name in ("output_checks", "signer", "generator", "policy"):
        with pytest.raises(AttributeError):
            setattr(house.pipeline, name, None)
        with pytest.raises(AttributeError):
            setattr(house.parts, name, None)
    before = house.entries()
    # And a check that says nothing, as diffusers' does then, is not a pass.
    blind = replace(house.parts, output_checks=(FakeOutputCheck(category="nudity", behaviour=Behaviour.EMPTY),))
    (outcome,) = Pipeline(blind).run(ask)
    assert isinstance(outcome, Refused)
    assert house.entries() == before


def test_04_a_second_pipe_from_the_first_without_a_checker(house: House) -> None:
    from diffusers import AutoPipelineForText2Image, StableDiffusionPipeline

    for cls in (StableDiffusionPipeline, AutoPipelineForText2Image):
        for owner in (house.pipeline, house.parts.generator):
            with pytest.raises((AttributeError, TypeError, ValueError)):
                cls.from_pipe(owner, safety_checker=None)


def test_05_embeddings_instead_of_a_prompt(house: House, ask: GenerationRequest) -> None:
    import torch

    embeddings = torch.zeros(1, 77, 32)
    for name in ("prompt_embeds", "negative_prompt_embeds", "ip_adapter_image_embeds"):
        house.assert_refuses(RequestError, replace(ask, parameters={name: embeddings}))  # type: ignore[dict-item]
    house.assert_refuses(RequestError, replace(ask, prompt=embeddings))  # type: ignore[arg-type]
    house.assert_refuses(RequestError, replace(ask, prompt=["waves"]))  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_06_a_run_that_is_cancelled_half_way(house: House, ask: GenerationRequest, at: int) -> None:
    class Impatient:
        steps = 0

        def step(self, *_: int) -> None:
            self.steps += 1

        def cancelled(self) -> bool:
            return self.steps >= at

    delivered: list[object] = []
    house.assert_refuses(CancelledError, ask, watch=Impatient(), deliver=delivered.append)
    assert delivered == []
    house.assert_proven(house.run(ask))  # and the next one is whole


@pytest.mark.parametrize("value", ["weird", "pt", "np", "pil", ""])
def test_07_an_output_type_that_means_something_else(house: House, ask: GenerationRequest, value: str) -> None:
    house.assert_refuses(RequestError, replace(ask, parameters={"output_type": value}))
    house.assert_refuses(RequestError, replace(ask, parameters={"return_dict": False}))


@pytest.mark.parametrize("size", [Size(width=64, height=64), Size(width=128, height=240), Size(width=240, height=1024)])
def test_08_too_small_for_a_mark(house: House, ask: GenerationRequest, size: Size) -> None:
    before = house.entries()
    try:
        (outcome,) = house.pipeline.run(replace(ask, size=size, steps=1))
    except WatermarkError as error:
        assert error.code == "watermark.too-small"  # noqa: PT017 - one of two good ends
        assert house.entries() == before
    else:
        house.assert_proven(outcome)


def test_09_a_pipe_that_brings_its_own_mark_and_checker(ask: GenerationRequest) -> None:
    from diffusers import DiffusionPipeline

    from sdsafe.generation import _loading, _tiny
    from sdsafe.generation._engine import Engine
    from sdsafe.generation.devices import resolve_device
    from sdsafe.generation.schedulers import choose
    from sdsafe.generation.tasks import Canvas, Kind

    class Theirs:
        def __call__(self, *_: object, **__: object) -> object:
            pytest.fail("the pipe's own checker or marker was called")

        apply_watermark = __call__

    repo = ask.model.repo
    if ":" in repo:
        pipe = _tiny.build()
    else:
        index = json.loads((Path(repo) / "model_index.json").read_text())
        absent = {name: None for name, value in index.items() if value == [None, None]}
        pipe = DiffusionPipeline.from_pretrained(repo, local_files_only=True, **absent)
    pipe.safety_checker = pipe.watermark = pipe.watermarker = Theirs()
    engine = Engine(pipe, resolve_device("cpu", _loading.probe()))
    assert (pipe.safety_checker, pipe.watermark, pipe.watermarker) == (None, None, None)
    arguments = {"prompt": "waves", "width": 256, "height": 256, "num_inference_steps": 1}
    own = type(pipe.scheduler).__name__
    scheduler = choose(own, own)
    size = Size(width=256, height=256)
    canvas = Canvas(kind=Kind.TEXT, size=size, result=size)
    rendered = engine.render(arguments, canvas=canvas, seed=1, scheduler=scheduler, step=lambda _number, _total: None)
    assert rendered.pixels.shape == (256, 256, 3)


def test_10_a_modular_pipeline(house: House, tmp_path: Path) -> None:
    index = {"_class_name": "StableDiffusionXLModularPipeline", "_diffusers_version": "0.42.1"}
    (tmp_path / "modular_model_index.json").write_text(json.dumps(index))
    house.assert_refuses(SdsafeError, replace(REQUEST, model=ModelRef(repo=str(tmp_path))))
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    house.assert_refuses(SdsafeError, replace(REQUEST, model=ModelRef(repo=str(tmp_path))))


def test_11_a_model_that_says_it_needs_no_checker(house: House, ask: GenerationRequest, tmp_path: Path) -> None:
    from sdsafe.generation import _tiny

    folder = tmp_path / "model"
    if ":" in ask.model.repo:
        _tiny.build().save_pretrained(folder, safe_serialization=True)
    else:
        shutil.copytree(ask.model.repo, folder)
    index = json.loads((folder / "model_index.json").read_text())
    assert index.get("safety_checker", [None, None]) == [None, None]  # SDXL and later have no place for one
    outcome = house.assert_proven(house.run(replace(ask, model=ModelRef(repo=str(folder)))))
    report = open_validator(house.settings).inspect(outcome.asset)
    assert report.evidence.summary is not None
    said = report.evidence.summary.generation
    assert {(check["stage"], check["status"]) for check in said["checks"]} == {("prompt", "ok"), ("output", "ok")}  # type: ignore[attr-defined]
    assert said["watermark"]["alg"] == house.parts.watermarker.alg  # type: ignore[index]
    assert "unchecked" not in said


def test_12_a_term_behind_the_end_of_what_the_model_reads(house: House, ask: GenerationRequest) -> None:
    harmless = "waves on the shore " * 160
    before = house.entries()
    outcome = house.run(replace(ask, prompt=harmless + CANARY))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "refused.prompt"
    assert house.entries() == before
    released = house.assert_proven(house.run(replace(ask, prompt=harmless)))
    report = open_validator(house.settings).inspect(released.asset)
    assert report.evidence.summary is not None
    assert report.evidence.summary.prompt == harmless


def test_a_text_that_shows_the_checks_something_else(house: House) -> None:
    class TwoFaced(GenerationRequest):
        asked = 0

        def __getattribute__(self, name: str) -> Any:
            if name == "prompt":
                type(self).asked += 1
                return "waves" if type(self).asked < 20 else CANARY
            return super().__getattribute__(name)

    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return CANARY

    house.assert_refuses(RequestError, TwoFaced(prompt="waves", size=REQUEST.size, steps=1))
    house.assert_refuses(RequestError, replace(REQUEST, prompt=Text("waves")))


class TestSounds:
    """The same ways around, tried on models that make sounds: those of them that a sound knows."""

    @pytest.fixture(scope="class", params=("dance", "stable_audio"))
    @classmethod
    def asked(cls, request: pytest.FixtureRequest) -> GenerationRequest:
        return GenerationRequest(
            prompt="" if request.param == "dance" else "rain on a tin roof",
            task=Task.AUDIO,
            model=ModelRef(repo=request.getfixturevalue(request.param)),
            seed=7,
            seconds=0.1,
            steps=2,
            intended_use="private",
        )

    def _proven(self, house: House, asked: GenerationRequest) -> Recorded:
        outcome = house.run(asked)
        assert isinstance(outcome, Recorded), outcome
        root = house.settings.places.keys / "root.pem"
        report = open_validator(house.settings, trust=[root]).verify(outcome.asset)
        assert (report.verdict, report.evidence.ledger) == (Verdict.TRUSTED, LedgerState.INCLUDED)
        return outcome

    @pytest.mark.parametrize(
        "name",
        [
            "output_type", "return_dict", "latents", "prompt_embeds", "negative_prompt_embeds", "generated_prompt_embeds",
            "callback", "callback_steps", "callback_on_step_end", "initial_audio_waveforms", "audio_sampling_rate",
            "transcription", "nobody_knows_it",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("value", ["latent", 1, 0.5, True])
    def test_01_02_05_07_what_leads_past_a_check(
        self, house: House, asked: GenerationRequest, name: str, value: str | float
    ) -> None:
        error = house.assert_refuses(RequestError, replace(asked, parameters={name: value}))
        assert error.code == "request.parameter"

    @pytest.mark.parametrize("at", [0, 1])
    def test_06_a_run_that_is_cancelled(self, house: House, asked: GenerationRequest, at: int) -> None:
        class Impatient:
            asked = 0

            def step(self, *_: int) -> None:
                pass

            def cancelled(self) -> bool:
                self.asked += 1
                return self.asked > at

        if at and not asked.prompt:
            pytest.skip("Dance Diffusion tells of no step: it can be stopped before it begins, and then not any more")
        delivered: list[object] = []
        house.assert_refuses(CancelledError, asked, watch=Impatient(), deliver=delivered.append)
        assert delivered == []
        self._proven(house, asked)

    def test_09_pictures_go_in_nowhere(self, house: House, asked: GenerationRequest, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(images.encode(np.full((256, 256, 3), 90, np.uint8)))
        house.assert_refuses(RequestError, replace(asked, inputs=(read_input(tmp_path / "a.png"),)))

    def test_12_a_term_behind_the_end_of_what_the_model_reads(self, house: House, asked: GenerationRequest) -> None:
        if not asked.prompt:
            house.assert_refuses(RequestError, replace(asked, prompt="rain"))  # this one reads no prompt at all
            return
        before = house.entries()
        outcome = house.run(replace(asked, prompt="rain on a tin roof " * 160 + CANARY))
        assert isinstance(outcome, Refused)
        assert outcome.reason == "refused.prompt"
        assert house.entries() == before

    @pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 1e9, None])
    def test_a_length_that_is_none(self, house: House, asked: GenerationRequest, seconds: float | None) -> None:
        if seconds is None:
            self._proven(house, replace(asked, seconds=None))  # the model's own
            return
        house.assert_refuses(RequestError, replace(asked, seconds=seconds))

    def test_a_sound_is_never_a_picture(self, house: House, asked: GenerationRequest) -> None:
        house.assert_refuses(RequestError, replace(asked, task=Task.GENERATE, seconds=None))


class TestWalls:
    def test_no_public_attribute_leads_inside(self, house: House, released: Recorded) -> None:
        stream = house.pipeline.stream(replace(REQUEST, count=2))
        first = next(stream)
        refused = house.run(replace(REQUEST, prompt=CANARY))
        for root in (house.pipeline, stream, first, released, refused):
            for trail, value in _reachable(root):
                assert not _inside(value), trail
                assert not isinstance(value, np.ndarray) or value.size == 0, f"{trail}: a picture that is not signed"
        assert any(_inside(value) for _, value in _reachable(house.parts))  # the walk does find what is in reach
        for root in (house.parts.generator, house.parts.signer):
            for trail, value in _reachable(root):
                assert trail.count(".") == 0 or not _inside(value), trail

    @pytest.mark.parametrize("steal", [copy.copy, copy.deepcopy, pickle.dumps, lambda each: each.__reduce__()])
    @pytest.mark.parametrize("what", ["pipeline", "generator", "signer"])
    def test_nothing_that_holds_pipe_or_key_is_copied(
        self, house: House, released: Recorded, what: str, steal: Callable[[object], object]
    ) -> None:
        assert released.seed == REQUEST.seed  # so the model is loaded
        owner = house.pipeline if what == "pipeline" else getattr(house.parts, what)
        with pytest.raises(TypeError):
            steal(owner)

    def test_nothing_is_shown_by_repr(self, house: House, released: Recorded) -> None:
        for each in (house.pipeline, house.parts.generator, house.parts.signer):
            assert "PrivateKey" not in repr(each)
            assert "Pipeline {" not in repr(each)
        assert repr(house.parts.signer).startswith("FileSigner(alg=")
        assert len(repr(released)) < 100_000


def _reachable(root: object) -> Iterator[tuple[str, object]]:
    """Yield all that public attributes, items and suspended frames lead to. Modules and functions end the walk."""
    seen: dict[int, object] = {}
    todo: list[tuple[str, object]] = [(type(root).__name__, root)]
    while todo:
        trail, value = todo.pop()
        if id(value) in seen or isinstance(value, ModuleType | type | str | bytes | int | float):
            continue
        seen[id(value)] = value
        yield trail, value
        if isinstance(value, np.ndarray) or callable(value):
            continue
        if isinstance(value, Mapping):
            todo += [(f"{trail}[{key!r}]", item) for key, item in value.items()]
        elif isinstance(value, tuple | list | set | frozenset):
            todo += [(f"{trail}[{index}]", item) for index, item in enumerate(value)]
        elif isinstance(value, FrameType):
            todo.append((f"{trail}.f_locals", dict(value.f_locals)))
        else:
            for name in dir(value):
                if not name.startswith("_"):
                    todo.append((f"{trail}.{name}", getattr(value, name)))


def _inside(value: object) -> bool:
    import torch
    from diffusers import ConfigMixin

    from sdsafe.generation._engine import Engine

    forbidden = (torch.nn.Module, torch.Tensor, ConfigMixin, Engine, Parts)
    return isinstance(value, forbidden) or "PrivateKey" in type(value).__name__ or hasattr(value, "sign")


@pytest.mark.weights
class TestCommandLine:
    """The same through the shell: flags that do not exist, and an end that is a refusal or a signed file."""

    @pytest.fixture
    def sdsafe(
        self, tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Callable[..., tuple[int, str]]:
        (tmp_path / "settings.toml").write_text("[options.diffusers]\nthreads = 1\n")
        for name, value in {
            "HOME": tmp_path,
            "SDSAFE_HOME": tmp_path / "state",
            "SDSAFE_CACHE": model_cache,
            "SDSAFE_CONFIG": tmp_path / "settings.toml",
            "SDSAFE_DEVICE": "cpu",
        }.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.chdir(tmp_path)
        init_development(tmp_path / "state" / "keys", name="bypass test", password=None, force=False)

        def call(*arguments: str) -> tuple[int, str]:
            monkeypatch.setattr(sys, "argv", ["sdsafe", *arguments])
            with pytest.raises(SystemExit) as ended:
                run_sdsafe()
            captured = capsys.readouterr()
            return int(ended.value.code or 0), captured.out + captured.err

        return call

    ORDINARY = ("generate", "a red house", "-o", "a.png", "--seed", "7", "--size", "256x256", "--steps", "2",
                "--model", "builtin:tiny")  # fmt: skip

    @pytest.mark.parametrize(
        "flag",
        [
            "--output-type=latent",
            "--output-type=weird",
            "--callback-on-step-end=x",
            "--prompt-embeds=x",
            "--latents=x",
            "--safety-checker=none",
            "--no-safety-checker",
            "--no-watermark",
            "--no-sign",
            "--disable-policy",
        ],
    )
    def test_ways_around_are_no_flags(self, sdsafe: Callable[..., tuple[int, str]], flag: str, tmp_path: Path) -> None:
        code, _ = sdsafe(*self.ORDINARY, flag)
        assert code == 2
        assert not list(tmp_path.glob("*.png"))

    def test_cancelled_too_small_refused_and_modular_end_without_a_file(
        self, sdsafe: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from sdsafe_cli import progress

        (tmp_path / "modular").mkdir()
        (tmp_path / "modular" / "modular_model_index.json").write_text("{}")
        assert sdsafe(*self.ORDINARY, "--size", "128x128")[0] == 1
        assert sdsafe("generate", f"waves {CANARY}", *self.ORDINARY[2:])[0] == 3
        assert sdsafe(*self.ORDINARY, "--model", str(tmp_path / "modular"))[0] in {1, 2}
        with monkeypatch.context() as patch:
            patch.setattr(progress._Watch, "step", lambda *_: signal.raise_signal(signal.SIGINT))
            assert sdsafe(*self.ORDINARY)[0] == 1
        assert not list(tmp_path.glob("*.png"))
        assert "there is no ledger" in sdsafe("ledger", "show")[1]

    def test_the_ordinary_way_ends_in_a_signed_recorded_file(
        self, sdsafe: Callable[..., tuple[int, str]], tmp_path: Path
    ) -> None:
        assert sdsafe(*self.ORDINARY)[0] == 0
        code, text = sdsafe("verify", "a.png", "--trust", "state/keys/root.pem", "--require", "trusted", "--watermark")
        assert code == 0, text
        assert "trusted" in text
        assert sdsafe("ledger", "prove", "a.png")[0] == 0

"""Trains the denoiser and the text encoder together on stored latents and fresh captions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from train import autoencoder, captions, checkpoints, latents, scenes, text
from train.muon import Muon
from train.plan import Plan

CHANNELS: Final = (96, 144)
GUIDANCE_DROPOUT: Final = 0.10
GUIDANCE: Final = 4.0
_GRID_STEPS: Final = 20
_MIDDLE: Final = 420.0
_SPREAD: Final = 190.0
_EVENLY: Final = 0.1


def build(sample_size: int = 16) -> Any:
    """Return an untrained `UNet2DConditionModel`: two resolutions, attention at both."""
    blocks = len(CHANNELS)
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=autoencoder.LATENT_CHANNELS,
        out_channels=autoencoder.LATENT_CHANNELS,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * blocks,
        up_block_types=("CrossAttnUpBlock2D",) * blocks,
        cross_attention_dim=text.WIDTH,
        attention_head_dim=4,  # diffusers reads this as the number of heads
        norm_num_groups=16,
    )


def build_scheduler() -> Any:
    """Return the noise schedule: linear betas end with hardly any signal, so no sampler needs a special case."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="linear",
        beta_start=0.0001,
        beta_end=0.02,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


@dataclass
class Student:
    """The two networks that learn together, with their averages."""

    unet: Any
    encoder: Any
    averages: dict[str, checkpoints.Average]

    @classmethod
    def fresh(cls, tokenizer: Any, warm: Path | None) -> "Student":
        """Return untrained networks, or the released ones as a warm start."""
        unet, encoder = build(), text.build_encoder(tokenizer)
        if warm is not None:
            unet = UNet2DConditionModel.from_pretrained(warm, subfolder="unet", torch_dtype=torch.float32)
            encoder = type(encoder).from_pretrained(warm, subfolder="text_encoder", torch_dtype=torch.float32)
        averages = {"unet": checkpoints.Average(unet, 0.999), "encoder": checkpoints.Average(encoder, 0.999)}
        return cls(unet, encoder, averages)

    def parts(self) -> dict[str, Any]:
        """Return the networks by name."""
        return {"unet": self.unet, "encoder": self.encoder}

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return all parameters in a fixed order."""
        return [*self.unet.parameters(), *self.encoder.parameters()]


class Batches(torch.utils.data.IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless (latents, token ids); the share `GUIDANCE_DROPOUT` of captions is empty."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self._arguments = (plan.work / "latents", plan.capacity)
        self._batch = plan.batch
        self._seed = seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        torch.set_num_threads(1)
        store = latents.Store(*self._arguments)
        tokenizer = text.build_tokenizer()
        rng = np.random.default_rng([self._seed, 6])
        while True:
            chosen = np.sort(rng.choice(store.count(), self._batch, replace=False))
            said = [captions.caption(scenes.sample(int(seed)), int(rng.integers(1000))) for seed in store.seeds[chosen]]
            said = ["" if rng.random() < GUIDANCE_DROPOUT else words for words in said]
            yield torch.from_numpy(store.values[chosen].astype(np.float32)), text.encode(tokenizer, said)


def draw_times(count: int) -> torch.Tensor:
    """Return times in 0..999, most where kinds and shapes are decided.

    A thing covers some hundred latent values, so that it shows through noise at signal-to-noise ratios of about 0.01
    to 1: times 240 to 680 of linear betas. Times drawn evenly, with Min-SNR weights, spend half of every batch on
    terms that weigh under 0.08. A tenth is drawn evenly, so that no time is forgotten.
    """
    share = (torch.randperm(count) + torch.rand(count)) / count  # stratified: a batch covers the whole schedule
    middle = _MIDDLE + _SPREAD * math.sqrt(2) * torch.erfinv((2 * share - 1).clamp(-0.9999, 0.9999))
    evenly = 1000 * share
    return torch.where(torch.rand(count) < _EVENLY, evenly, middle).long().clamp(0, 999)


def loss_of(student: Student, clean: torch.Tensor, tokens: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
    """Return the velocity loss; signal-to-noise ratios above 5 count less, as Min-SNR has it."""
    times = draw_times(clean.shape[0])
    share = signal[times].view(-1, 1, 1, 1)
    noise = torch.randn_like(clean)
    noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
    velocity = share.sqrt() * noise - (1 - share).sqrt() * clean
    with torch.autocast("cpu", torch.bfloat16):
        hidden = student.encoder(tokens).last_hidden_state
        guess = student.unet(noisy, times, hidden).sample
    snr = signal[times] / (1 - signal[times])
    weight = snr.clamp(max=5) / snr
    error = (guess.float() - velocity).square().mean(dim=(1, 2, 3))
    loss: torch.Tensor = (weight * error).mean() / weight.mean()
    return loss


class Team:
    """Processes that train one student together: one thread each waits less than two threads in step."""

    def __init__(self, plan: Plan) -> None:
        self._ranks = plan.ranks
        if plan.ranks > 1:
            meeting = f"file://{plan.work.resolve()}/team"
            torch.distributed.init_process_group("gloo", init_method=meeting, rank=plan.rank, world_size=plan.ranks)

    def share(self, parameters: list[torch.nn.Parameter]) -> None:
        """Average the gradients over the team, in place."""
        if self._ranks == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self._ranks
        for gradient, part in zip(
            gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))

    def clock(self, seconds: float) -> float:
        """Return the first process's clock, so that all stop at the same step and use the same rate."""
        if self._ranks == 1:
            return seconds
        answer = torch.tensor([seconds], dtype=torch.float64)
        torch.distributed.broadcast(answer, 0)
        return float(answer.item())


class Sitting:
    """One sitting of training: what is learned, by what, and how far it has come."""

    def __init__(self, plan: Plan) -> None:
        torch.manual_seed(11)
        self.plan = plan
        self.team = Team(plan)
        self.tokenizer = text.build_tokenizer()
        self.student = Student.fresh(self.tokenizer, plan.warm)
        table = self.student.encoder.get_input_embeddings()
        self.optimizer = Muon(self.student.parameters(), lr=plan.rate, vectors=table.parameters())
        self.step, self.spent = _resume(plan.work, self.student, self.optimizer)
        self.first = self.step
        self.factor = _scaling(plan)
        self.signal = build_scheduler().alphas_cumprod
        torch.manual_seed(11 + self.step + 1_000_003 * plan.rank)

    def learn(self, clean: torch.Tensor, tokens: torch.Tensor, left: float) -> float:
        """Take one step and return its loss."""
        warmth = min(1.0, (self.step + 1) / 100)
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate * warmth * (0.03 + 0.97 * min(1.0, left * 2.0))
        loss = loss_of(self.student, clean * self.factor, tokens, self.signal)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.team.share(self.student.parameters())
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        for name, part in self.student.parts().items():
            self.student.averages[name].update(part, self.step)
        self.step += 1
        return float(loss.detach())

    def save(self) -> None:
        """Replace the checkpoint."""
        groups = {"optimizer": checkpoints.optimizer_tensors(self.optimizer)}
        for name, part in self.student.parts().items():
            groups[name] = part.state_dict()
            groups[f"{name}_average"] = self.student.averages[name].values
        seconds = self.spent + self.plan.elapsed()
        state = {"step": self.step, "seconds": seconds, "scaling_factor": self.factor}
        checkpoints.save(self.plan.work / "denoiser", groups, state)

    def picture(self) -> None:
        """Write the sample grid of the last checkpoint."""
        sample_grid(self.plan.work, self.tokenizer, self.step)


def train(plan: Plan) -> None:
    """Train for some minutes from the last checkpoint, or from warm weights, or from nothing."""
    sitting = Sitting(plan)
    seed = 21 + sitting.step + 1_000_003 * plan.rank
    data = iter(torch.utils.data.DataLoader(Batches(plan, seed), batch_size=None, num_workers=1, prefetch_factor=8))
    saved = pictured = plan.elapsed()
    smooth = 0.0
    while (elapsed := sitting.team.clock(plan.elapsed())) < plan.minutes * 60:
        clean, tokens = next(data)
        loss = sitting.learn(clean, tokens, plan.left(elapsed))
        if plan.rank:
            continue
        done = sitting.step - sitting.first
        smooth += (loss - smooth) * (0.02 if done > 50 else 1 / done)
        if sitting.step % 25 == 0:
            row = (sitting.step, round(sitting.spent + elapsed), f"{smooth:.4f}")
            checkpoints.log(plan.work / "denoiser.csv", row)
        if elapsed - saved > 150:
            saved = elapsed
            sitting.save()
        if elapsed - pictured > 420:
            pictured = elapsed
            sitting.picture()
    if plan.rank == 0:
        sitting.save()
        sitting.picture()


def _resume(work: Path, student: Student, optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    found = checkpoints.load(work / "denoiser")
    if found is None:
        return 0, 0.0
    groups, state = found
    for name, part in student.parts().items():
        part.load_state_dict(groups[name])
        student.averages[name].values = groups[f"{name}_average"]
    checkpoints.restore_optimizer(optimizer, groups["optimizer"])
    return int(state["step"]), float(state["seconds"])


def _scaling(plan: Plan) -> float:
    """Return 1 / the measured standard deviation of the first latents."""
    store = latents.Store(plan.work / "latents", plan.capacity)
    return 1.0 / float(store.values[: min(2000, store.count())].astype(np.float32).std())


def load_average(work: Path, tokenizer: Any) -> tuple[Any, Any, float]:
    """Return denoiser and text encoder with averaged weights, and the scaling factor they were trained with."""
    found = checkpoints.load(work / "denoiser")
    if found is None:
        raise FileNotFoundError("train the denoiser first: no checkpoint in the working folder")
    groups, state = found
    unet, encoder = build(), text.build_encoder(tokenizer)
    unet.load_state_dict(groups["unet_average"])
    encoder.load_state_dict(groups["encoder_average"])
    return unet.eval(), encoder.eval(), float(state["scaling_factor"])


@torch.no_grad()
def sample_grid(work: Path, tokenizer: Any, step: int) -> None:
    """Write the fixed 16 prompts, seeds 0 to 15, through the averaged weights."""
    from PIL import Image

    unet, encoder, factor = load_average(work, tokenizer)
    decoder = autoencoder.load_average(work)
    scheduler = build_scheduler()
    scheduler.set_timesteps(_GRID_STEPS)
    prompts = list(captions.GRID)
    hidden = encoder(text.encode(tokenizer, prompts + [""] * len(prompts))).last_hidden_state
    shape = (1, *latents.SHAPE)
    state = torch.cat(
        [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in range(len(prompts))]
    )
    for moment in scheduler.timesteps:
        with_words, without = unet(torch.cat([state, state]), moment, hidden).sample.chunk(2)
        state = scheduler.step(without + GUIDANCE * (with_words - without), moment, state).prev_sample
    pictures = torch.cat([autoencoder.decode(decoder, part / factor, 1) for part in torch.split(state, 4)])
    rows = torch.cat([torch.cat(list(pictures[row : row + 4]), 2) for row in range(0, len(prompts), 4)], 1)
    pixels = ((rows.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(work / f"denoiser-{step:06d}.png")
    if not math.isfinite(float(state.sum())):
        raise FloatingPointError("the denoiser diverged")

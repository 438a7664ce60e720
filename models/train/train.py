"""Trains the embedded model in stages: `autoencoder`, `latents`, `denoiser`, `export`, `grid`; see README.md beside this file."""

import argparse
from pathlib import Path

import torch

from train import autoencoder, denoiser, export, grid, latents
from train.plan import Plan


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=("autoencoder", "latents", "denoiser", "export", "grid", "sums"))
    parser.add_argument(
        "--work", type=Path, default=Path("build/scenes"), help="folder for checkpoints, logs and grids"
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--jitter", type=float, default=0.05, help="noise added to latents while the decoder learns")
    parser.add_argument(
        "--outer", type=int, default=0, help="outer levels in use: 0, 1 or 2 for 128, 256 or 512 pictures"
    )
    parser.add_argument("--capacity", type=int, default=100_000, help="latents the store has room for")
    parser.add_argument("--latents", type=int, default=10_000, help="latents to draw")
    parser.add_argument("--init-from", type=Path, help="pipeline folder whose weights to start from")
    parser.add_argument("--rank", type=int, default=0, help="which of the denoiser's processes this is")
    parser.add_argument("--ranks", type=int, default=1, help="processes that train the denoiser together")
    parser.add_argument("--target", type=Path, help="what export, grid or sums writes")
    return parser.parse_args()


def main() -> None:
    """Run one stage from the command line."""
    options = _options()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        work=options.work,
        minutes=options.minutes,
        rate=options.rate,
        batch=options.batch,
        warm=options.init_from,
        capacity=options.capacity,
        jitter=options.jitter,
        outer=options.outer,
        rank=options.rank,
        ranks=options.ranks,
    )
    match options.stage:
        case "autoencoder":
            autoencoder.train(plan)
        case "latents":
            latents.fill(plan.work, plan.capacity, options.latents)
        case "denoiser":
            denoiser.train(plan)
        case "export":
            export.write(plan.work, options.target)
        case "grid":
            grid.write(options.init_from, options.target)
        case _:
            export.write_sums(options.target)


if __name__ == "__main__":
    main()

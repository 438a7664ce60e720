"""Trains the embedded model in stages: `autoencoder`, `latents`, `denoiser`, `export`; see README.md beside this file."""

import argparse
from pathlib import Path

import torch


def main() -> None:
    """Run one stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=("autoencoder",))
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints, logs and grids")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--jitter", type=float, default=0.05, help="noise added to latents while the decoder learns")
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--init-from", type=Path, help="pipeline folder whose weights to start from")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    from train import autoencoder

    autoencoder.train(
        options.work,
        minutes=options.minutes,
        rate=options.rate,
        batch=options.batch,
        warm=options.init_from,
        jitter=options.jitter,
        decoder_only=options.decoder_only,
    )


if __name__ == "__main__":
    main()

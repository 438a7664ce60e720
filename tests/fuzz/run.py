"""Fuzzes one target with atheris, guided by coverage, for a while: ``make fuzz`` runs all of them.

    python tests/fuzz/run.py TARGET [--seconds 60] [--corpus FOLDER]
    python tests/fuzz/run.py --list

No network: sockets raise. A crash, an input that takes ten seconds, or 2 GiB of memory ends the run with an error,
and leaves the input in the corpus folder as ``crash-*`` or ``timeout-*``.
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from typing import NoReturn

import atheris

with atheris.instrument_imports(include=["sdsafe"]):
    sys.path.insert(0, str(Path(__file__).parent))
    from targets import TARGETS, seeds


def _no_network(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a reader of files used the network")


def main() -> None:
    """Run one target until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=tuple(TARGETS))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"))
    given = parser.parse_args()
    if given.list or given.target is None:
        sys.stdout.write("\n".join(TARGETS) + "\n")
        return
    corpus = given.corpus / given.target
    corpus.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(seeds(given.target)):
        (corpus / f"seed-{index}").write_bytes(seed)
    socket.socket.connect = _no_network  # type: ignore[method-assign,assignment]
    limits = [f"-max_total_time={given.seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=300000"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={corpus}/", str(corpus)], TARGETS[given.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()

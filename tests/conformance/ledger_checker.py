"""Checks an exported ledger with the standard library and the ``openssl`` command. Imports nothing of sdsafe.

    python ledger_checker.py EXPORT [OLD_CHECKPOINT]

EXPORT is the folder that ``sdsafe ledger export`` wrote: ``entries.jsonl``, ``checkpoint.txt``, ``public-key.pem``.
OLD_CHECKPOINT is a ``checkpoint.txt`` from an earlier day. Exit 0: the entries are those that the checkpoint signs,
and the first ones are those that the old checkpoint signed. Exit 1: they are not; standard error says why.

Sources: RFC 6962, section 2.1 (tree); C2SP tlog-checkpoint and signed-note (note).
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def root_of(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, computed level by level: an odd last node moves up unchanged."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    while len(leaves) > 1:
        pairs = [leaves[i : i + 2] for i in range(0, len(leaves), 2)]
        leaves = [hashlib.sha256(b"\x01" + b"".join(pair)).digest() if len(pair) > 1 else pair[0] for pair in pairs]
    return leaves[0]


def read_note(path: Path, key: Path) -> tuple[int, bytes]:
    """Return (size, root) of a note after checking its signature with openssl."""
    text, _, signatures = path.read_text(encoding="utf-8").partition("\n\n")
    origin, size, root, *_ = text.split("\n")
    name, blob = signatures.removeprefix("\N{EM DASH} ").split()
    der = base64.b64decode("".join(key.read_text(encoding="ascii").splitlines()[1:-1]))
    if name != origin or not origin.endswith(hashlib.sha256(der).hexdigest()):
        sys.exit(f"{path.name}: names another key")
    with tempfile.TemporaryDirectory() as folder:
        signed, signature = Path(folder, "text"), Path(folder, "signature")
        signed.write_bytes(f"{text}\n".encode())
        signature.write_bytes(base64.b64decode(blob)[4:])
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", str(key), "-in", str(signed)]
        if subprocess.run([*command, "-sigfile", signature], capture_output=True, check=False).returncode:
            sys.exit(f"{path.name}: signature is wrong")
    return int(size), base64.b64decode(root)


def check(export: Path, old: Path | None = None) -> int:
    """Return the number of entries, or exit with the reason why the export does not hold."""
    lines = (export / "entries.jsonl").read_bytes().split(b"\n")[:-1]
    for number, line in enumerate(lines):
        if json.loads(line)["v"] != 1:
            sys.exit(f"entry {number}: unknown form")
    leaves = [hashlib.sha256(b"\x00" + line).digest() for line in lines]
    size, root = read_note(export / "checkpoint.txt", export / "public-key.pem")
    if (size, root) != (len(leaves), root_of(leaves)):
        sys.exit("checkpoint.txt: signs other entries")
    if old is not None:
        size, root = read_note(old, export / "public-key.pem")
        if size > len(leaves):
            sys.exit(f"rolled back: the old checkpoint counts {size} entries")
        if root != root_of(leaves[:size]):
            sys.exit(f"forked: the first {size} entries are not those of the old checkpoint")
    return len(leaves)


if __name__ == "__main__":
    print(check(*map(Path, sys.argv[1:3])), "entries hold")  # noqa: T201 - the result of a script

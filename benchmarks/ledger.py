"""What an append-only log costs when it is long: appending, proving, auditing, and the room it takes.

Usage: ledger.py [ENTRIES]. Entries are synthetic (digests of counters) and go in as batches of 1,000 under one
checkpoint each; then 1,000 more go in one by one, each its own durable commit. An audit recomputes every hash.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import Timing, timing, write_result

from sdsafe.core.places import Places
from sdsafe.core.receipts import EntryKind, LedgerEntry
from sdsafe.records.ledger.audit import audit
from sdsafe.records.ledger.log import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH = 1_000
SINGLE = 1_000
PROOFS = 500
REPORT_AT = (1_000, 10_000, 100_000, 250_000, 500_000, 1_000_000)
AUDITED_AT = 100_000


def entry(number: int) -> LedgerEntry:
    """Return a released entry unlike any other."""
    digests = [hashlib.sha256(f"{what} {number}".encode()).hexdigest() for what in ("asset", "manifest", "record")]
    return LedgerEntry(
        kind=EntryKind.RELEASED,
        asset_id=f"{number:016x}",
        asset_sha256=digests[0],
        manifest_sha256=digests[1],
        policy_digests=(hashlib.sha256(b"policy").hexdigest(),),
        effect="allow",
        record_sha256=digests[2],
        recorded_at="2026-01-02T03:04:05Z",
    )


def each_ms(calls: Iterator[Callable[[], object]]) -> Timing:
    """Time calls one by one."""
    samples = []
    for call in calls:
        started = time.perf_counter()
        call()
        samples.append((time.perf_counter() - started) * 1000)
    return timing(samples)


def proofs(ledger: SqliteLedger, size: int) -> Timing:
    """Prove entries spread over the whole log, by asset id, each with a connection of its own."""
    numbers = [(index * 7919) % size for index in range(PROOFS)]
    return each_ms(lambda number=number: ledger.prove(f"{number:016x}") for number in numbers)  # type: ignore[misc]


def audited_s(ledger: SqliteLedger, size: int) -> float:
    """Audit everything; a benchmark of a wrong audit would be worth nothing."""
    started = time.perf_counter()
    report = audit(ledger)
    if not report.consistent or report.size != size:
        raise SystemExit(f"the audit of {size} entries found {report.findings[:3]}")
    return round(time.perf_counter() - started, 2)


def state(ledger: SqliteLedger, path: Path, size: int, recent: deque[float]) -> dict[str, object]:
    """Return what is told of a log of one size."""
    rate = BATCH * len(recent) / sum(recent)  # of processor time: wall clock would measure the neighbours
    kept = path.stat().st_size
    row: dict[str, object] = {
        "entries": size,
        "entries_per_cpu_s": round(rate),
        "prove": proofs(ledger, size),
        "file_mib": round(kept / 2**20, 1),
        "bytes_per_entry": round(kept / size),
    }
    if size == AUDITED_AT:
        row["audit_s"] = audited_s(ledger, size)
    print(row, flush=True)
    return row


def main(count: int) -> None:
    """Measure and write ``results/ledger.json``."""
    with tempfile.TemporaryDirectory() as folder:
        ledger, path = SqliteLedger(Places(state=Path(folder), cache=Path(folder))), Path(folder) / "ledger.sqlite"
        rows, recent, started = [], deque[float](maxlen=10), time.perf_counter()
        for start in range(0, count, BATCH):
            batch = [entry(number) for number in range(start, start + BATCH)]
            began = time.process_time()
            ledger.append_all(batch)
            recent.append(time.process_time() - began)
            if start + BATCH in REPORT_AT:
                rows.append(state(ledger, path, start + BATCH, recent))
        seconds = time.perf_counter() - started
        single = each_ms(lambda n=number: ledger.append(entry(n)) for number in range(count, count + SINGLE))  # type: ignore[misc]
        last = ledger.checkpoint()
    if last is None or last.tree_size != count + SINGLE:
        raise SystemExit("entries were lost")
    write_result(
        "ledger", {"batch": BATCH, "sizes": rows, "single_append": single, "batched_wall_s": round(seconds, 1)}
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

"""``sdsafe redact``: take the prompt out of a file that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdsafe_cli.context import settings_from
from sdsafe_cli.options import FILE, force_option, json_option
from sdsafe_cli.render import emit_json, message
from sdsafe_cli.revising import at_hand, deliver

if TYPE_CHECKING:
    from sdsafe.core.report import ManifestSummary

__all__ = ["command"]

_REASONS = {"pii": "PII", "trade-secret": "TRADE_SECRET", "confidential": "CONFIDENTIAL", "invalid": "INVALID"}


@click.command("redact")
@click.argument("file", type=FILE)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option(
    "--reason", type=click.Choice(list(_REASONS)), default="pii", show_default=True, help="What is put on record."
)
@click.option("--signer", metavar="URI", help="Credential that signs, such as file:FOLDER.")
@force_option
@json_option
def command(  # noqa: PLR0913 - one argument per option
    *, file: Path, output: Path, reason: str, signer: str | None, force: bool, as_json: bool
) -> None:
    """Take the prompt out of FILE, which shows it, and sign it anew.

    It goes out of every manifest in FILE and out of XMP; the pixels stay. The manifest of before becomes the parent,
    and the new one says what was taken out, and why. Where the private record is at hand, a commitment takes the place
    of the prompt, so that `sdsafe disclose` can still prove it. Copies of FILE, and the record, stay what they are.
    """
    from sdsafe.api import open_signing, read_asset
    from sdsafe.redaction import Reason, redact

    settings = settings_from(signer=signer)
    credential, stamper = open_signing(settings)
    done = redact(read_asset(file), credential, reason=Reason[_REASONS[reason]], stamper=stamper, commit=_commitment)
    index = deliver(settings, done, output, force=force)
    if as_json:
        payload = {"file": str(output), "asset_id": done.asset_id, "redacted": done.changed, "log_index": index}
        emit_json("sdsafe.redact/1", payload)
        return
    message(f"{output}: {len(done.changed)} assertions taken out; the file of before still shows them")


def _commitment(summary: ManifestSummary) -> str | None:
    """Return the commitment to the texts of the private record, where it is here and can be opened."""
    from sdsafe.core.disclosure import commitment

    record = at_hand(settings_from(), summary.asset_id)
    return None if record is None else commitment(record.texts, record.salt)

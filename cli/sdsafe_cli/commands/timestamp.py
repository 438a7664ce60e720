"""``sdsafe timestamp``: add time-stamps to a file that was signed without."""

from __future__ import annotations

from pathlib import Path

import click

from sdsafe_cli.context import settings_from
from sdsafe_cli.options import FILE, force_option, json_option
from sdsafe_cli.render import emit_json, message
from sdsafe_cli.revising import deliver

__all__ = ["command"]


@click.command("timestamp")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; default: in place of FILE.")
@click.option(
    "--authority",
    "authorities",
    multiple=True,
    metavar="URL",
    help="RFC 3161 authority (repeatable); default: settings.",
)
@click.option("--signer", metavar="URI", help="Credential that signed FILE, such as file:FOLDER.")
@force_option
@json_option
def command(  # noqa: PLR0913 - one argument per option
    *, file: Path, output: Path | None, authorities: tuple[str, ...], signer: str | None, force: bool, as_json: bool
) -> None:
    """Add time-stamps to FILE, which was signed without (timestamp_policy = "later"), by an update manifest.

    They prove that FILE was there now, not when it was signed. The credential that signed FILE signs the update; pixels
    and all that was said before stay. The authorities see digests alone.
    """
    from sdsafe.api import open_signing, open_stamper, read_asset
    from sdsafe.stamping import stamp

    settings = settings_from(signer=signer, timestamp_authorities=authorities or None)
    stamper = open_stamper(settings)
    credential, _ = open_signing(settings)
    done = stamp(read_asset(file), credential, stamper)
    index = deliver(settings, done, output or file, force=force or output is None)
    if as_json:
        payload = {"file": str(output or file), "asset_id": done.asset_id, "stamped": done.changed, "log_index": index}
        emit_json("sdsafe.timestamp/1", payload)
        return
    message(f"{output or file}: {len(done.changed)} manifests time-stamped, and the update itself")

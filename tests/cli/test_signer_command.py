"""``sdsafe signer`` as its user runs it: a process that serves, one that makes pictures, and what each can see."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sdsafe.core.places import Places
from sdsafe.core.request import GenerationRequest, Size
from sdsafe.core.states import Recorded
from sdsafe.errors import SigningError
from sdsafe.provenance.signing.apart import SocketSigner
from sdsafe.provenance.signing.credentials import init_development
from sdsafe.signer.opening import log_of
from sdsafe.testing.pipeline import fake_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

REQUEST = GenerationRequest(prompt="waves", seed=7, size=Size(width=256, height=256), steps=2)
SETTINGS = """
output_checks = ["fake-output-check"]
sound_checks = []
"""
_STARTS_IN_S = 30

# The fake model is not in the licence facts, so that the signer must be told of it as the pipeline is.
_SERVE = """
import sys
from sdsafe.gates.registry import gate
from sdsafe.testing.pipeline import fake_licences
gate.LicenceGate.ref = property(lambda _, ref=fake_licences().ref: ref)
if len(sys.argv) > 1 and sys.argv[1] == "--kill-at":
    import os, signal
    from sdsafe.signer import keeper
    _, _, point, *rest = sys.argv
    sys.argv = ["sdsafe", *rest]
    keeper._reach = lambda reached: os.kill(os.getpid(), signal.SIGKILL) if reached == point else None
from sdsafe_cli.main import run
run()
"""


class Home:
    """A signer's own home, and a short path for its socket."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "run" / "s"
        self.places = Places(state=folder / "state", cache=folder / "cache")
        init_development(self.places.keys, name="apart", password=None, force=False)
        (folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("SDSAFE_", "XDG_"))}
        self.env = {
            **keep,
            "HOME": str(folder),
            "SDSAFE_HOME": str(self.places.state),
            "SDSAFE_CONFIG": str(folder / "settings.toml"),
        }

    def command(self, *arguments: object, code: str = _SERVE) -> list[str]:
        return [sys.executable, "-c", code, *map(str, arguments)]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("signer", *arguments), env=self.env, capture_output=True, text=True, check=False, timeout=60
        )

    def start(self, *arguments: object, before: tuple[object, ...] = ()) -> subprocess.Popen[str]:
        command = self.command(*before, "signer", "serve", "--socket", self.socket, "--key", "file:", *arguments)
        process = subprocess.Popen(command, env=self.env, stderr=subprocess.PIPE, text=True)
        ready = time.monotonic() + _STARTS_IN_S
        while time.monotonic() < ready and process.poll() is None:
            try:
                SocketSigner(self.socket)
            except SigningError:
                time.sleep(0.05)
            else:
                return process
        process.kill()
        pytest.fail(f"the signer did not start: {process.communicate()[1]}")


@pytest.fixture
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="sds"))
    yield Home(folder)
    shutil.rmtree(folder)


@pytest.fixture
def mine(tmp_path: Path) -> Places:
    return Places(state=tmp_path / "state", cache=tmp_path / "cache")


def ended(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> str:
    process.send_signal(how)
    said = process.communicate(timeout=20)[1]
    assert process.returncode in {0, -how}
    return said


def document(answer: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return dict(json.loads(answer.stdout))


def test_serve_release_status_log_stop(home: Home, mine: Places) -> None:
    process = home.start("--rate", "5/min")
    try:
        (outcome,) = fake_pipeline(mine, signer=SocketSigner(home.socket)).run(REQUEST)
        assert isinstance(outcome, Recorded)
        said = document(home.run("status", "--socket", home.socket, "--json"))
        assert (said["schema"], said["signatures"], said["per_minute"]) == ("sdsafe.signer.status/1", 1, 5)
        assert home.run("status", "--socket", home.socket).returncode == 0
        told = home.run("log", "--against", mine.state, "--json")
        assert told.returncode == 0
        (entry,) = document(told)["entries"]
        assert (entry["asset_id"], entry["fate"]) == (str(outcome.asset_id), "released")
        second = home.run("serve", "--socket", home.folder / "other" / "s", "--key", "file:")
        assert second.returncode == 1
        assert "another signer writes the same log" in second.stderr
    finally:
        said_aloud = ended(process)
    assert process.returncode == 0
    assert "baseline" in said_aloud
    assert "signed for pid" in said_aloud
    assert "waves" not in said_aloud
    assert not home.socket.exists()
    assert home.run("status", "--socket", home.socket).returncode == 1


def test_what_no_ledger_knows_is_told(home: Home, mine: Places, tmp_path: Path) -> None:
    process = home.start()
    try:
        fake_pipeline(mine, signer=SocketSigner(home.socket)).run(REQUEST)
    finally:
        ended(process)
    told = home.run("log", "--against", tmp_path / "nothing", "--json")
    assert told.returncode == 5
    assert document(told)["entries"][0]["fate"] == "unknown"
    assert home.run("log").returncode == 0
    assert "unknown" in home.run("log", "--against", tmp_path / "nothing").stdout


@pytest.mark.parametrize(("point", "lines"), [("signer.signed", 0), ("signer.logged", 1)])
def test_killed_while_it_signs_it_lets_nothing_out(home: Home, mine: Places, point: str, lines: int) -> None:
    process = home.start(before=("--kill-at", point))
    signer = SocketSigner(home.socket)
    with pytest.raises(SigningError) as caught:
        fake_pipeline(mine, signer=signer).run(REQUEST)
    assert caught.value.code in {"signer.answer", "signer.unreachable"}
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    assert not (mine.state / "ledger.sqlite").exists()
    log = log_of(home.places.state / "signer")
    assert (0 if log is None else len(list(log.entries()))) == lines
    again = home.start()  # over the stale socket, with the same log
    try:
        (outcome,) = fake_pipeline(mine, signer=SocketSigner(home.socket)).run(REQUEST)
    finally:
        ended(again, signal.SIGINT)
    assert isinstance(outcome, Recorded)
    told = home.run("log", "--against", mine.state, "--json")
    fates = [each["fate"] for each in document(told)["entries"]]
    assert fates == ["unknown"] * lines + ["released"]
    assert document(told)["consistent"] is True


def test_other_packs_than_the_signers_are_refused(home: Home, mine: Places) -> None:
    process = home.start("--packs", "openrail-m")
    try:
        with pytest.raises(SigningError) as caught:
            fake_pipeline(mine, signer=SocketSigner(home.socket)).run(REQUEST)
    finally:
        said = ended(process)
    assert caught.value.code == "signer.policy"
    assert "openrail-m has not judged" in str(caught.value)
    assert "refused signer.policy" in said


def test_another_user_may_ask_only_if_allowed(home: Home) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can be somebody else")
    home.folder.chmod(0o711)
    ask = f"""
import os
from pathlib import Path
from sdsafe.errors import SigningError
from sdsafe.provenance.signing.apart import SocketSigner
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    print(SocketSigner(Path({str(home.socket)!r})).alg)
except SigningError as error:
    print(error.code)
"""

    def answer() -> str:
        result = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        return result.stdout.strip()

    process = home.start()
    try:
        assert answer() == "signer.unreachable"  # the folder is shut already
        home.socket.parent.chmod(0o711)
        assert answer() == "signer.unreachable"  # and so is the socket
        home.socket.chmod(0o666)
        assert answer() == "signer.peer"  # and the kernel says who it is
    finally:
        ended(process)
    home.socket.parent.rmdir()
    process = home.start("--allow-user", "nobody")
    try:
        assert answer() == "es256"
    finally:
        ended(process)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("serve", "--socket", "{s}", "--key", "socket:/x"), 1, "yet another process"),
        (("serve", "--socket", "{s}", "--key", "file:/nowhere"), 1, "does not exist"),
        (("serve", "--socket", "{s}", "--packs", "no-such-pack"), 1, "no-such-pack"),
        (("serve", "--socket", "{s}", "--rate", "0"), 2, "signatures a minute"),
        (("serve", "--socket", "{s}", "--rate", "many"), 2, "signatures a minute"),
        (("serve", "--socket", "{s}", "--allow-user", "no-such-user"), 2, "no such user"),
        (("serve", "--socket", "/dev/null/s"), 1, "cannot be used"),
        (("serve",), 2, "--socket"),
        (("status",), 1, "not in a process of its own"),
        (("status", "--socket", "{s}"), 1, "cannot be reached"),
        (("log",), 1, "no log of a signer"),
    ],
)
def test_mistakes_are_told(home: Home, arguments: tuple[str, ...], code: int, says: str) -> None:
    answer = home.run(*(each.format(s=home.socket) for each in arguments))
    assert (answer.returncode, says in answer.stderr) == (code, True), answer.stderr
    assert "Traceback" not in answer.stderr

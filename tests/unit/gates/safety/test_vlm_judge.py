"""The judge behind an endpoint: a real HTTP server on loopback that answers well, badly, slowly, or not at all."""

from __future__ import annotations

import base64
import functools
import json
import math
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe._internal import images
from sdsafe.core.findings import CheckStatus
from sdsafe.core.places import Places
from sdsafe.errors import PluginError
from sdsafe.gates.guard import run_output_check
from sdsafe.gates.isolation import IsolatedCheck
from sdsafe.gates.safety.vlm_judge import VlmJudgeCheck
from sdsafe.protocols import Unavailable
from sdsafe.testing.samples import sample_generated, sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUESTIONS = {"weapon": "Does the picture show a weapon?", "logo": "Does the picture show a logo?"}


def answer(word: str, shares: dict[str, float] | None = None) -> dict[str, Any]:
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": word}}
    if shares:
        top = [{"token": token, "logprob": math.log(share)} for token, share in shares.items()]
        choice["logprobs"] = {"content": [{"token": word, "top_logprobs": top}]}
    return {"choices": [choice]}


class Judge(ThreadingHTTPServer):
    """Answers what the test sets, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply: Callable[[BaseHTTPRequestHandler], None] = say(answer("no"))
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Judge

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append({"path": self.path, **json.loads(body)})
        self.server.keys.append(self.headers.get("Authorization"))
        self.server.reply(self)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def say(document: object, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("Location", "http://127.0.0.1:9/elsewhere")
        handler.end_headers()
        handler.wfile.write(data)

    return reply


@pytest.fixture
def judge() -> Iterator[Judge]:
    server = Judge()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def check(judge: Judge, **options: Any) -> VlmJudgeCheck:
    return VlmJudgeCheck(judge.endpoint, "m", QUESTIONS, **{"timeout": 5.0, **options})


def test_every_question_is_asked_about_the_very_picture(judge: Judge) -> None:
    picture = sample_picture(3)
    (found,) = check(judge).scores([picture])
    assert {name: seen.score for name, seen in found.items()} == {"weapon": 0.0, "logo": 0.0}
    assert [each["path"] for each in judge.asked] == ["/v1/chat/completions"] * 2
    text, image = judge.asked[0]["messages"][1]["content"]
    assert text["text"] == QUESTIONS["weapon"]
    data = base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(images.decode(data), picture)
    assert judge.keys == [None, None]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        (answer("Yes."), 1.0),
        (answer(" no\n"), 0.0),
        (answer("yes", {"yes": 0.6, "no": 0.2, "maybe": 0.2}), 0.75),
        (answer("no", {"No": 0.5, " yes": 0.3, "Yes": 0.2}), 0.5),
        (answer("yes", {"maybe": 1.0}), 1.0),
    ],
)
def test_a_score_is_the_share_of_yes(judge: Judge, reply: dict[str, Any], score: float) -> None:
    judge.reply = say(reply)
    assert check(judge).scores([sample_picture()])[0]["weapon"].score == pytest.approx(score)


@pytest.mark.parametrize(
    "reply",
    [
        say(answer("I cannot help with that.")),
        say(answer("")),
        say(answer("yes and no")),
        say({"choices": []}),
        say({"error": "overloaded"}),
        say(b"<html>"),
        say(b"x" * (2 << 20)),
        say({"choices": [{"message": {"content": None}}]}),
    ],
)
def test_whatever_is_no_answer_is_an_error_and_never_a_no(
    judge: Judge, reply: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    judge.reply = reply
    result = run_output_check(check(judge), sample_generated(sample_picture()))
    assert (result.status, result.findings) == (CheckStatus.ERROR, ())


@pytest.mark.parametrize("status", [301, 302, 401, 429, 500, 503])
def test_an_http_error_and_a_redirection_make_it_unavailable(judge: Judge, status: int) -> None:
    judge.reply = say({}, status)
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        check(judge).scores([sample_picture()])


def test_a_server_that_says_nothing_is_given_up_at_the_deadline(judge: Judge) -> None:
    judge.reply = lambda _: time.sleep(1.5)
    started = time.monotonic()
    with pytest.raises(Unavailable, match="cannot be reached"):
        check(judge, timeout=0.3).scores([sample_picture()])
    assert time.monotonic() - started < 5


def test_a_server_that_trickles_is_given_up_at_the_deadline(judge: Judge) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    judge.reply = trickle
    started = time.monotonic()
    with pytest.raises(Unavailable, match="in time"):
        check(judge, timeout=0.5).scores([sample_picture()])
    assert time.monotonic() - started < 3


def test_nobody_at_the_address_makes_it_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        VlmJudgeCheck("http://127.0.0.1:9/v1", "m", QUESTIONS, timeout=2).scores([sample_picture()])


def test_the_key_comes_from_the_environment(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = check(judge, key_variable="JUDGE_KEY")
    with pytest.raises(Unavailable, match="JUDGE_KEY"):
        asking.scores([sample_picture()])
    monkeypatch.setenv("JUDGE_KEY", "secret")
    asking.scores([sample_picture()])
    assert judge.keys == ["Bearer secret"] * 2


def test_it_works_in_a_process_that_is_killed_at_its_deadline(judge: Judge) -> None:
    make = functools.partial(VlmJudgeCheck, judge.endpoint, "m", QUESTIONS, timeout=60.0)
    with IsolatedCheck(make, name="vlm-judge", deadline=30) as isolated:
        assert run_output_check(isolated, sample_generated(sample_picture())).status is CheckStatus.OK
    judge.reply = lambda _: time.sleep(3)
    with IsolatedCheck(make, name="vlm-judge", deadline=1) as isolated:
        result = run_output_check(isolated, sample_generated(sample_picture()))
        assert (result.status, result.detail) == (CheckStatus.ERROR, "TimeoutError")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"endpoint": "http://judge.example/v1"}, "HTTPS"),
        ({"endpoint": "file:///etc/passwd"}, "HTTPS"),
        ({"endpoint": "https://judge.example/v1", "timeout": 0}, "timeout"),
        ({"endpoint": "https://judge.example/v1", "questions": {"weapon": "?"}}, "questions"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    complete = {"model": "m", "questions": {"weapon": ["?"]}, **options}
    with pytest.raises(PluginError, match=says):
        VlmJudgeCheck.configure(Places(state=tmp_path, cache=tmp_path), complete)


def test_the_version_changes_with_model_and_questions(tmp_path: Path) -> None:
    def made(**changes: Any) -> str:
        options = {"endpoint": "https://judge.example/v1", "model": "m", "questions": {"weapon": ["?"]}, **changes}
        return VlmJudgeCheck.configure(Places(state=tmp_path, cache=tmp_path), options).version

    assert len({made(), made(model="n"), made(questions={"weapon": ["!"]})}) == 3

"""What can be asked of a running gateway, over its socket; whatever comes, it answers and lives on."""

from __future__ import annotations

import io
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from compose.gateway.config import from_env
from compose.gateway.control import MOST_BYTES, ControlServer, pump
from compose.gateway.links import Link, Pair, one_way_ns, site_links
from compose.gateway.shape import NS_PER_MS, NS_PER_S
from compose.gateway.verbs import Verbs
from tests.compose.gateway_lab import ROOT

SITES = "cp-aws-1=10.10.0.11,minio=10.10.0.31,cp-gcp-1=10.20.0.11"
THERE = ["cp-aws-1", "cp-gcp-1"]
BACK = ["cp-gcp-1", "cp-aws-1"]
DEADLINE_S = 20.0
CONTROL = (sys.executable, "-m", "compose.gateway.control")


class Asked:
    """Verbs with a clock that stands still."""

    def __init__(self) -> None:
        config = from_env({"SITES": SITES})
        self.links: dict[Pair, Link] = site_links(config, one_way_ns(config))
        self.now_ns = 0
        self.verbs = Verbs(self.links, {"backend": "tun"}, lambda: self.now_ns)

    def __call__(self, verb: str, **arguments: object) -> dict[str, Any]:
        line = json.dumps({"id": 9, "verb": verb, **arguments}).encode()
        with redirect_stdout(io.StringIO()):
            answer: dict[str, Any] = json.loads(self.verbs.answer(line))
        assert answer.pop("id") == 9
        return answer

    def packet(self, link: Pair, held_ns: int = 0) -> None:
        fate = self.links[link].shape.fate(self.now_ns, 100)
        self.links[link].counts.count(fate, 100)
        if fate.copies:
            self.links[link].dwell.add(self.now_ns, self.now_ns + held_ns)


@pytest.fixture
def ask() -> Asked:
    return Asked()


def test_status(ask: Asked) -> None:
    assert ask("status") == {"ok": {"backend": "tun"}}


def test_shape_merges_on_the_named_links_only(ask: Asked) -> None:
    assert ask("shape", links=[THERE], how={"loss": 0.5}) == {"ok": {}}
    assert ask("shape", links=[THERE], how={"delay_ms": 100}) == {"ok": {}}
    assert ask.links["cp-aws-1", "cp-gcp-1"].shape.in_force == {"loss": 0.5, "delay_ms": 100}
    assert ask.links["cp-gcp-1", "cp-aws-1"].shape.in_force == {}


def test_unshape_and_clear_may_be_asked_again(ask: Asked) -> None:
    ask("shape", links=[THERE, BACK], how={"loss": 1.0, "reorder": 0.1})
    for _ in range(2):
        assert ask("unshape", links=[THERE], which=["loss"]) == {"ok": {}}
        assert ask.links["cp-aws-1", "cp-gcp-1"].shape.in_force == {"reorder": 0.1}
    for _ in range(2):
        assert ask("clear") == {"ok": {}}
        assert not any(link.shape.in_force for link in ask.links.values())


def test_what_is_in_force_is_told(ask: Asked) -> None:
    assert ask("in_force") == {"ok": {}}
    ask("shape", links=[THERE], how={"loss": 0.5, "delay_ms": 100})
    ask("shape", links=[BACK], how={"loss": 0.5})
    ask("unshape", links=[BACK], which=["loss"])
    assert ask("in_force") == {"ok": {"cp-aws-1->cp-gcp-1": {"loss": 0.5, "delay_ms": 100}}}


def test_counts_say_what_was_done_and_for_how_long_packets_were_held(ask: Asked) -> None:
    nothing = ask("counts", links=[THERE])["ok"]["cp-aws-1->cp-gcp-1"]
    assert nothing.pop("dwell_ms") is None
    assert set(nothing.values()) == {0}
    ask.packet(("cp-aws-1", "cp-gcp-1"), 25 * NS_PER_MS)
    ask("shape", links=[THERE], how={"loss": 1.0})
    ask.packet(("cp-aws-1", "cp-gcp-1"))
    counts = ask("counts", links=[THERE, BACK])["ok"]
    assert (
        counts["cp-aws-1->cp-gcp-1"] | {"packets": 2, "bytes": 200, "dropped": 1}
        == counts["cp-aws-1->cp-gcp-1"]
    )
    assert counts["cp-gcp-1->cp-aws-1"]["packets"] == 0


def test_the_dwell_forgets_what_is_old_and_what_an_earlier_shape_held(ask: Asked) -> None:
    def dwell() -> object:
        return ask("counts", links=[THERE])["ok"]["cp-aws-1->cp-gcp-1"]["dwell_ms"]

    link = ("cp-aws-1", "cp-gcp-1")
    ask.packet(link, 20 * NS_PER_MS)
    ask.packet(link, 30 * NS_PER_MS)
    ask.now_ns = NS_PER_S
    assert dwell() == 25.0
    ask.now_ns = 3 * NS_PER_S
    assert dwell() is None
    ask.packet(link, 40 * NS_PER_MS)
    ask("unshape", links=[THERE], which=["delay_ms"])
    assert dwell() is None
    ask.links[link].dwell.add(ask.now_ns - 1, ask.now_ns + NS_PER_MS)
    assert dwell() is None
    ask.packet(link, 50 * NS_PER_MS)
    assert dwell() == 50.0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello", "a request is one JSON object a line"),
        (b"\xff\xfe", "a request is one JSON object a line"),
        (b"[" * 100_000, "a request is one JSON object a line"),
        (b"[1]", "expected a request to be a JSON object"),
        (b'{"verb": "melt"}', "there is no verb 'melt'; there are status, shape"),
        (b'{"verb": ["status"]}', "there is no verb"),
        (b'{"verb": "shape"}', "expected links to be a JSON list"),
        (b'{"verb": "shape", "links": [["cp-aws-1", "cp-gcp-1"]]}', "expected how to be a JSON object"),
        (b'{"verb": "counts", "links": [["cp-aws-1", "nobody"]]}', 'no link ["cp-aws-1", "nobody"]'),
        (b'{"verb": "counts", "links": [["cp-aws-1", "minio"]]}', "expected two sites in different clouds"),
        (b'{"verb": "counts", "links": [7]}', "there is no link 7"),
        (b'{"verb": "unshape", "links": [], "which": [["loss"]]}', "there is no harm ['loss']"),
        (b'{"verb": "unshape", "links": []}', "expected which to be a JSON list"),
    ],
)
def test_a_bad_request_gets_one_line(ask: Asked, line: bytes, words: str) -> None:
    error = json.loads(ask.verbs.answer(line))["error"]
    assert words in error
    assert "\n" not in error


def test_a_request_that_is_wrong_in_part_changes_nothing(ask: Asked) -> None:
    assert "error" in ask("shape", links=[THERE, ["x", "y"]], how={"loss": 1.0})
    assert "error" in ask("shape", links=[THERE], how={"loss": 1.0, "lag": 1})
    assert "error" in ask("unshape", links=[THERE], which=["loss", "lag"])
    assert ask.links["cp-aws-1", "cp-gcp-1"].shape.in_force == {}


@pytest.fixture
def served(ask: Asked, tmp_path: Path) -> Iterator[Path]:
    """The path of a socket that is served."""
    with serving(ask, tmp_path / "gateway.sock"):
        yield tmp_path / "gateway.sock"


@contextmanager
def serving(ask: Asked, path: Path) -> Iterator[None]:
    """In a thread, as the delayer's loop does."""
    stop_read, stop_write = os.pipe()
    with ControlServer(path, ask.verbs.answer) as server:

        def serve() -> None:
            while True:
                asked, answered = server.waited_for()
                readable, writable, _ = select.select([stop_read, *asked], answered, [])
                if stop_read in readable:
                    return
                server.serve(readable, writable)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        os.write(stop_write, b".")
        thread.join()
    assert not path.exists()
    os.close(stop_read)
    os.close(stop_write)


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(DEADLINE_S)
    connection.connect(str(path))
    return connection


def control_env(path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "GATEWAY_SOCKET": str(path)}


def control(path: Path, *arguments: str, asked: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CONTROL, *arguments],
        env=control_env(path),
        cwd=ROOT,
        input=asked,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def test_requests_in_pieces_and_several_at_once_are_answered_in_order(served: Path) -> None:
    with connect(served) as connection, connection.makefile() as answers:
        connection.sendall(b'{"id": 1, "verb":')
        connection.sendall(
            b'"status"}\n{"id": 2, "verb": "status"}\n\nnonsense\n{"id": 3, "verb": "status"}\n'
        )
        told = [json.loads(answers.readline()) for _ in range(4)]
    assert [answer["id"] for answer in told] == [1, 2, None, 3]
    assert "error" in told[2]


def test_a_client_that_goes_or_never_ends_its_line_disturbs_nobody(served: Path) -> None:
    with connect(served) as steady, steady.makefile() as answers:
        connect(served).close()
        with connect(served) as flood, pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                flood.sendall(b"x" * (MOST_BYTES // 4))
        steady.sendall(b'{"id": 1, "verb": "status"}\n')
        assert json.loads(answers.readline())["id"] == 1


def test_the_client_carries_lines_both_ways_until_its_input_ends(served: Path) -> None:
    done = control(served, asked='{"id": 1, "verb": "status"}\n{"id": 2, "verb": "status"}')
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [1, 2]
    assert (done.returncode, done.stderr) == (0, "")


def test_the_client_asks_for_the_status_once(served: Path) -> None:
    done = control(served, "status")
    assert json.loads(done.stdout)["ok"] == {"backend": "tun"}
    assert done.returncode == 0


def test_without_a_gateway_the_health_check_says_so_in_one_line(tmp_path: Path) -> None:
    done = control(tmp_path / "nowhere.sock", "status")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"the gateway does not answer at {tmp_path / 'nowhere.sock'}: No such file or directory"
    ]


def test_the_client_waits_for_a_gateway_that_is_starting(
    ask: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, sleep = threading.Event(), time.sleep

    def noticed(seconds: float) -> None:
        waits.set()
        sleep(seconds)

    monkeypatch.setattr("compose.gateway.control.time.sleep", noticed)
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    asked.write_text('{"id": 1, "verb": "status"}\n')
    path = tmp_path / "gateway.sock"
    with asked.open() as source, answered.open("w") as sink:
        client = threading.Thread(target=pump, args=(path, source.fileno(), sink.fileno()))
        client.start()
        assert waits.wait(DEADLINE_S)
        with serving(ask, path):
            client.join(DEADLINE_S)
    assert json.loads(answered.read_text())["id"] == 1


def test_the_client_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compose.gateway.control.STARTED_WITHIN_S", 0.1)
    with Path(os.devnull).open() as nothing, pytest.raises(FileNotFoundError):
        pump(tmp_path / "nowhere.sock", nothing.fileno(), 1)


def test_the_client_knows_no_other_word(tmp_path: Path) -> None:
    assert control(tmp_path / "nowhere.sock", "melt").returncode == 2

"""The live line: what it says, and where and how often it is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import harness.live
from harness.live import CLEAR, Board, Publisher, abreast, describe
from harness.plan import Plan
from harness.recorder import Recorder
from harness.trial import Progress


def progress() -> Progress:
    recorder = Recorder()
    for process in range(3):
        recorder.invoke(process, "append", ["k", process], None)
    recorder.complete(0, "ok", "append", ["k", 0], "cp-aws-1", witness=3)
    recorder.complete(1, "info", "append", ["k", 1], "cp-aws-1", error="timed out")
    watch: Any = SimpleNamespace(leader=("cp-gcp-1", 4))
    harm: Any = SimpleNamespace(now=["pause leader"])
    began_ns = time.monotonic_ns() - 12_000_000_000
    return Progress(Plan("append", ("pause",), 7), "load", began_ns, recorder, watch, harm)


def test_it_says_how_the_run_is_doing() -> None:
    assert describe(progress()) == (
        "append-pause-local-s7 · 12s · load · 3 op/s ok 1 fail 0 info 1 · cp-gcp-1@4 · fault: pause leader"
    )


def test_a_run_that_has_hardly_begun() -> None:
    said = describe(Progress(Plan("append", ("none",), 7), began_ns=time.monotonic_ns()))
    assert said == "append-none-local-s7 · 0s · start · no leader"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.live, "TERMINAL_INTERVAL_S", 0.01)
    monkeypatch.setattr(harness.live, "PLAIN_INTERVAL_S", 0.01)


@pytest.mark.usefixtures("quickly")
def test_a_terminal_has_one_line_that_changes_and_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("first run")
    (tmp_path / "2.txt").write_text("second run")
    stream = StringIO()
    board = Board(tmp_path, stream, is_terminal=True)
    until(lambda: CLEAR + "first run  |  second run" in stream.getvalue())
    board.close()
    assert stream.getvalue().endswith(CLEAR)
    assert "\n" not in stream.getvalue()


@pytest.mark.usefixtures("quickly")
def test_elsewhere_each_run_has_a_line_now_and_then(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("first run")
    (tmp_path / "2.txt").write_text("second run")
    stream = StringIO()
    board = Board(tmp_path, stream, is_terminal=False)
    until(lambda: "\nfirst run\nsecond run\n" in stream.getvalue())
    board.close()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.usefixtures("quickly")
def test_a_run_that_ended_is_not_shown_any_more(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.show(progress())
    assert [path.read_text()[:21] for path in tmp_path.glob("*.txt")] == ["append-pause-local-s7"]
    publisher.clear()
    publisher.clear()
    stream = StringIO()
    Board(tmp_path, stream, is_terminal=False).close()
    assert stream.getvalue() == ""


def test_half_a_minute_lies_between_plain_lines() -> None:
    assert harness.live.PLAIN_INTERVAL_S == 30


def test_several_runs_share_a_line() -> None:
    assert abreast(["one", "two"], 80) == "one  |  two"
    assert abreast(["a" * 90], 80) == "a" * 79 + "…"
    shared = abreast(["a" * 90, "b" * 90], 80)
    assert shared == "a" * 36 + "…  |  " + "b" * 36 + "…"

"""The judges as they are asked: by the command line, and by name from Python."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checkers import judging
from checkers.cli import add_arguments, main
from checkers.formats.jsonl import write_ops
from checkers.history import HistoryError
from checkers.judging import JUDGES, judge
from checkers.linear.operations import Limits
from checkers.models import LINEAR_MODELS
from checkers.verdict import Anomaly, Validity, Verdict
from tests.checkers.build import Did, fault, history, ops

WRITE_AND_READ = (
    "{:process 0 :type :invoke :f :write :value 1}{:process :nemesis :type :info :f :kill}"
    "{:process 0 :type :info :f :write :value 1 :error :timeout}"
    "{:process 1 :type :invoke :f :read}{:process 1 :type :ok :f :read :value 1}"
)


def did(process: int, f: str, value: Any, start: float, end: float | None, **more: Any) -> Did:
    return Did(process, f, value, start, end, **more)


def option(name: str, text: str) -> Any:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    return getattr(parser.parse_args(["file", f"--{name}={text}"]), name)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5s", 1.5), ("250 ms", 0.25), ("2m", 120), ("2h", 7200), ("0", 0)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    assert option("budget", text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("7", 7), ("7B", 7), ("1KB", 1000), ("1kib", 1024), ("1.5MB", 1_500_000), ("1MiB", 1 << 20), ("2 gb",
     2 * 10**9),
     ("1GiB", 1 << 30)],
)  # fmt: skip
def test_sizes_have_units(text: str, size: int) -> None:
    assert option("memory", text) == size


def test_an_interruption_has_its_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "h"
    path.write_text(WRITE_AND_READ)
    for stop, code in ((KeyboardInterrupt, 130), (BrokenPipeError, 0)):

        def stopped(*_: Any, stop: type[BaseException] = stop, **__: Any) -> None:
            raise stop

        with monkeypatch.context() as patched:
            patched.setattr("checkers.cli._as_json", stopped)
            patched.setattr("sys.stdout", sys.stdout)  # which main may take away
            assert main([str(path), "--model=register", "--format=json"]) == code


def test_what_was_asked_for_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "h"
    path.write_text(WRITE_AND_READ)
    arguments = [str(path), "--model=register", "--format=json"]
    assert main(arguments) == 0
    plain = json.loads(capsys.readouterr().out)
    assert "certificate" not in plain and plain["operations"] == 2
    assert main([*arguments, "--certificate"]) == 0
    assert list(json.loads(capsys.readouterr().out)["certificate"].values()) == [[0, 3]]
    assert main([*arguments, "--input=etcd-log"]) == 64
    capsys.readouterr()
    write_ops(tmp_path / "lines", ops(did(1, "write", 1, 0, 1), faults=fault(1, "kill", ["n1"], 5, 6)))
    assert main([str(tmp_path / "lines"), "--model=register", "--format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["operations"] == 1
    capsys.readouterr()

    anomaly = Anomaly("odd", "said", (3, 0, 3, 4))
    monkeypatch.setattr(judging, "judge", lambda *_, **__: Verdict("register", Validity.NO, "", (anomaly,)))
    assert main([str(path), "--model=register", "--explain"]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  odd: said",
        "    0 to …  process 0  write 1: info (timeout)",
        "    3 to 4  process 1  read null: ok 1",
    ]


READ_OF_5 = history(ops(did(1, "read", None, 0, 1, result=5), did(2, "read", None, 2, 3, result=5)))


def test_an_object_may_begin_with_something() -> None:
    assert judge(READ_OF_5, "register").valid is Validity.NO
    assert judge(READ_OF_5, "register", initial=5).valid is Validity.YES
    own = replace(LINEAR_MODELS["register"], name="one's own")
    assert judge(READ_OF_5, own, initial=5).valid is Validity.YES
    assert judge(READ_OF_5, own, initial=6).valid is Validity.NO


def test_a_nil_that_was_not_recorded_is_not_held_against_anybody() -> None:
    recorded = ops(did(1, "write", 1, 0, 1), did(2, "read", None, 2, 3), did(2, "read", None, 4, 5, result=1))
    assert judge(history(recorded), "register").valid is Validity.NO
    unrecorded = history(recorded, facts={"nil_reads": "unrecorded"})
    assert judge(unrecorded, "register").valid is Validity.YES


def test_whether_there_are_keys_may_be_said() -> None:
    pairs = history(ops(did(1, "write", [1, 2], 0, 1), did(2, "read", [1, None], 2, 3, result=[1, 2])))
    assert judge(pairs, "register", keyed=True).evidence["objects"] == 1
    assert judge(pairs, "register", keyed=True).certificate is not None
    other = history(ops(did(1, "write", [1, 2], 0, 1), did(2, "read", None, 2, 3, result=[1, 2])))
    assert judge(other, "register", keyed=False).valid is Validity.YES
    with pytest.raises(HistoryError):
        judge(other, "register", keyed=True)


def test_transactions_must_satisfy_what_is_asked() -> None:
    """A stale read, which only real time forbids."""
    stale = history(ops(
        did(1, "txn", [["append", 1, 1]], 0, 1),
        did(2, "txn", [["r", 1, None]], 2, 3, result=[["r", 1, []]]),
        did(3, "txn", [["r", 1, None]], 4, 5, result=[["r", 1, [1]]]),
    ))  # fmt: skip
    assert judge(stale, "list-append").valid is Validity.NO
    assert judge(stale, "list-append", consistency="serializable").valid is Validity.YES
    with pytest.raises(HistoryError):
        judge(stale, "rw-register")
    written = history(ops(did(1, "txn", [["w", 1, 1]], 0, 1), did(2, "txn", [["r", 1, None]], 2, 3)))
    assert judge(written, "rw-register").checker == "rw-register"


def test_the_limits_reach_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Limits] = []

    def asked(*_: Any, limits: Limits | None = None, **__: Any) -> Verdict:
        assert limits is not None
        given.append(limits)
        return Verdict("list-append", Validity.YES, "")

    monkeypatch.setattr(judging, "transactions", asked)
    judge(history(), "list-append", budget_s=1000.0, memory_bytes=77)
    assert 900 < given[0].left_s() <= 1000 and given[0].memory_bytes == 77


def test_no_such_model_and_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HistoryError, match="no model 'tower'; expected one of register"):
        judge(READ_OF_5, "tower")

    def greedy(*_: Any, **__: Any) -> Verdict:
        raise MemoryError

    monkeypatch.setattr(judging, "transactions", greedy)
    verdict = judge(READ_OF_5, "list-append")
    assert (verdict.valid, verdict.summary) == (Validity.UNKNOWN, "the memory of this machine was used up")


def test_there_is_a_judge_for_everything() -> None:
    assert {*LINEAR_MODELS, "list-append", "rw-register", "bank", "set-full", "long-fork"} <= {*JUDGES}
    assert all(one.name == name and one.summary for name, one in JUDGES.items())
    faults = fault(1, "kill", ["n1"], 5, 6)
    ids = [did(at, "generate", None, at, at + 0.5, result=1) for at in range(2)]
    assert judge(history(ops(*ids, faults=faults)), "unique-ids").valid is Validity.NO

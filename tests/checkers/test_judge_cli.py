"""The judges' command line: lines, exit codes, and what it hands to the judges."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from checkers.cli import main
from checkers.history import History, HistoryError
from checkers.verdict import Anomaly, Validity, Verdict

GOOD = "{:process 0 :type :invoke :f :write :value 1}{:process 0 :type :ok :f :write :value 1}"
BAD = GOOD.replace(":value 1}{", ":value 2}{", 1)


@dataclass(frozen=True)
class Judge:
    name: str
    summary: str


class StandIn(ModuleType):
    """In place of the judges: a history's first value decides."""

    def __init__(self) -> None:
        super().__init__("checkers.judging")
        self.JUDGES = {"register": Judge("register", "one value"), "bank": Judge("bank", "100 % of it")}
        self.asked: list[tuple[Any, dict[str, Any]]] = []

    def judge(self, history: History, model: Any, **more: Any) -> Verdict:
        self.asked.append((model, more))
        first = history.ops[0].value
        if first == 5:
            raise HistoryError("op 0: contradicts itself")
        if first == 6:
            raise RecursionError("too deep")
        if first == 2:
            return Verdict("register", Validity.NO, "wrong", (Anomaly("lost", "1 was never\nwritten", (0,)),))
        validity = {3: Validity.UNKNOWN, 4: Validity.VACUOUS}.get(first, Validity.YES)
        return Verdict("register", validity, f"it is {validity.value}")


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "checkers.judging", stand_in)
    return stand_in


def files(folder: Path, *firsts: Any) -> list[str]:
    paths = []
    for number, first in enumerate(firsts):
        path = folder / f"{number}.edn"
        path.write_text("{" if first is None else GOOD.replace(":value 1", f":value {first}", 1))
        paths.append(str(path))
    return paths


@pytest.mark.parametrize(
    ("firsts", "code"),
    [
        ([1], 0),
        ([2], 1),
        ([3], 2),
        ([4], 3),
        ([None], 64),
        ([5], 64),
        ([6], 2),
        ([1, 4], 3),
        ([4, 3, 1], 2),
        ([3, None, 4, 1], 64),
        ([1, None, 2, 3, 4], 1),
    ],
)
def test_the_exit_code_is_the_worst(tmp_path: Path, judging: StandIn, firsts: list[Any], code: int) -> None:
    assert main([*files(tmp_path, *firsts), "--model", "register"]) == code


def test_a_line_a_file(tmp_path: Path, judging: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    paths = files(tmp_path, 1, None, 2, 5)
    main([*paths, "--model=register"])
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith(f"{paths[0]}  yes  1 operations  ") and first.endswith(" s")
    assert second.startswith(f"{paths[2]}  no  1 operations  ")
    assert err.splitlines() == [
        f"{paths[1]}:1:1: this is never closed; was the file cut short?",
        f"{paths[3]}: op 0: contradicts itself",
    ]


def test_explain_says_why(tmp_path: Path, judging: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    main([*files(tmp_path, 2, 3), "--model=register", "--explain"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [
        r"  lost: 1 was never\nwritten",
        "    0 to 1  process 0  write 2: ok 1",
    ]
    assert lines[4] == "  it is unknown"


def test_json_has_an_object_a_file(
    tmp_path: Path, judging: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = files(tmp_path, 2, None)
    main([*paths, "--model=register", "--format=json"])
    no, bad = map(json.loads, capsys.readouterr().out.splitlines())
    assert (no["path"], no["valid"], no["operations"]) == (paths[0], "no", 1)
    assert no["anomalies"][0]["kind"] == "lost"
    assert (bad["valid"], bad["error"]) == (
        "bad input",
        f"{paths[1]}:1:1: this is never closed; was the file cut short?",
    )


def test_options_reach_the_judge(tmp_path: Path, judging: StandIn) -> None:
    path, *_ = files(tmp_path, 1)
    main([path, "--model=bank"])
    plain = {"budget_s": 30.0, "memory_bytes": 2 * 10**9, "initial": None, "keyed": None, "consistency": None}
    assert judging.asked.pop() == ("bank", plain)
    options = (
        "--budget 500ms --memory 512MB --initial [1] --unkeyed --consistency-model serializable --input edn"
    )
    assert main([path, "--model=bank", *options.split()]) == 0
    assert judging.asked.pop()[1] == {
        "budget_s": 0.5,
        "memory_bytes": 512 * 10**6,
        "initial": [1],
        "keyed": False,
        "consistency": "serializable",
    }
    main([path, "--model=bank", "--budget=2m", "--memory=1GiB", "--keyed"])
    assert [judging.asked[-1][1][name] for name in ("budget_s", "memory_bytes", "keyed")] == [
        120.0,
        2**30,
        True,
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "--model is missing"),
        (["--model=tower"], "no model 'tower'; expected one of register, bank"),
        (["--model=no_such_module:M"], "ModuleNotFoundError"),
        (["--model=json:loads"], "expected a checkers.linear.operations.Model"),
        (["--model=bank", "--budget=soon"], "expected a time such as 30s"),
        (["--model=bank", "--memory=0"], "expected a size such as 2GB"),
        (["--model=bank", "--initial={"], "is not JSON"),
        (["--model=bank", "--input=xml"], "invalid choice: 'xml'"),
        (["--model=bank", "--keyed", "--unkeyed"], "not allowed with"),
    ],
)
def test_options_that_make_no_sense(
    tmp_path: Path, judging: StandIn, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert main([*files(tmp_path, 1), *options]) == 64
    assert complaint in capsys.readouterr().err
    assert not judging.asked


def test_a_model_of_ones_own(tmp_path: Path, judging: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_model_for_a_test.py").write_text(
        "from checkers.linear.operations import Model\nLAMP = Model('lamp', 'on', False, lambda s, o: s)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main([*files(tmp_path, 1), "--model", "own_model_for_a_test:LAMP"]) == 0
    assert judging.asked[0][0].name == "lamp"


def test_help_lists_the_models(judging: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert "  register     one value\n  bank         100 % of it\n  module:NAME  " in said
    assert "0 yes, 1 no, 2 unknown, 3 vacuous, 64 bad input" in said

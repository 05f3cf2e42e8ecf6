"""The `crosswind` command: exit codes are the verdict, and bad input is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness.judge
from checkers import CHECKERS
from checkers.verdict import Anomaly, Validity, Verdict
from harness.cli import main
from nemesis import NEMESES
from reports.record import RunDirectory
from system.mutants import MUTANTS
from workloads import WORKLOADS


def saved(root: Path, **meta: Any) -> Path:
    directory = RunDirectory.create(root, "run")
    directory.write_run({"status": "done", "plan": {"workload": "append"}, "facts": {}} | meta)
    directory.write_history([])
    return directory.path


@pytest.mark.parametrize(
    ("validities", "code"),
    [
        (["yes", "yes"], 0),
        (["yes", "no", "unknown", "vacuous"], 1),
        (["yes", "unknown", "vacuous"], 2),
        (["vacuous", "yes"], 3),
    ],
)
def test_judge_exits_with_the_verdict(
    validities: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdicts = [
        Verdict(f"c{i}", Validity(word), "said", (Anomaly("odd", "why"),) if word == "no" else ())
        for i, word in enumerate(validities)
    ]
    monkeypatch.setattr(harness.judge, "judge", lambda run: verdicts)
    assert main(["judge", str(saved(tmp_path))]) == code
    said = capsys.readouterr().out
    assert all(f"c{i}" in said for i in range(len(verdicts)))


def test_a_run_in_which_nothing_happened_is_not_green(tmp_path: Path) -> None:
    assert main(["judge", str(saved(tmp_path))]) in (2, 3)


@pytest.mark.parametrize(
    "meta",
    [
        {"plan": None},
        {"plan": 3},
        {"plan": {}},
        {"plan": {"workload": "queue"}},
        {"plan": {"workload": ["append"]}},
        {"facts": []},
        {"facts": "none"},
    ],
)
def test_a_record_that_makes_no_sense_is_bad_input(
    meta: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", str(saved(tmp_path, **meta))]) == 64
    error = capsys.readouterr().err
    assert error.startswith("crosswind: ")
    assert error.count("\n") == 1
    assert "run.json" in error


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": 99}', b"\xff\xfe"])
def test_a_broken_record_is_bad_input(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path)
    (path / "run.json").write_bytes(content)
    assert main(["judge", str(path)]) == 64
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_a_file_is_no_run_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text(json.dumps({}))
    assert main(["judge", str(tmp_path / "file")]) == 64
    assert "run directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args", [[], ["juge"], ["judge"], ["mutants", "--seeds", "0"], ["mutants", "--mutant", "x"]]
)
def test_bad_usage_is_64(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 64
    assert "Traceback" not in capsys.readouterr().err


def test_mutants_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(MUTANTS)
    assert {"local-reads", "ack-before-fsync", "double-vote"} <= set(MUTANTS)


def test_mutants_speak_of_what_there_is() -> None:
    for mutant in MUTANTS.values():
        for place in (mutant.place, mutant.simulated):
            assert place is None or place.find(), mutant.name
        assert mutant.workload in WORKLOADS
        assert all(name in NEMESES for name in mutant.nemeses)
        assert all(name in CHECKERS for name in mutant.caught_by)

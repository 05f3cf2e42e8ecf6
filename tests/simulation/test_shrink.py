"""`crosswind shrink` and `crosswind replay`: little is left of a schedule, and nothing of what is no run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness import saved
from harness.cli import main
from harness.plan import Plan
from harness.probe import Finding, Probe, probe
from harness.replay import found_again
from harness.run import carry_out
from harness.shrink import CannotShrinkError, Shrunk, shrink
from harness.simulation import Tuning, tuning
from nemesis.nemesis import Step
from reports.record import RecordError

ROOT = Path(__file__).parents[2]


def plan_of(mutant: str | None, seed: int) -> Plan:
    return Plan(
        ("append", "register")[seed % 2], ("swarm",), seed, "sim", rate=8.0, concurrency=5, mutant=mutant
    )


@cache
def failing(mutant: str) -> saved.Saved:
    """The first seed in which the bug shows."""
    for seed in range(1, 20):
        plan = plan_of(mutant, seed)
        one = probe(plan)
        if one.findings:
            trace_hash = f"{one.trace_hash:016x}"
            return saved.Saved(plan, one.schedule, tuning(plan), trace_hash, tuple(sorted(one.kinds)))
    raise AssertionError(f"{mutant} is not found")


@cache
def shrunk(mutant: str) -> Shrunk:
    return shrink(failing(mutant), 20.0)


@pytest.mark.parametrize("mutant", ["figure-eight", "trusting-follower", "half-quorum"])
def test_few_faults_are_left(mutant: str) -> None:
    was, found = failing(mutant), shrunk(mutant)
    assert found.before == len(was.schedule) // 2
    assert found.after == len(found.saved.schedule) // 2 <= min(3, found.before)
    assert found.saved.kinds[0] in was.kinds
    assert found.saved.plan.time_limit_s <= was.plan.time_limit_s
    assert found.tries > 1 and found.cpu_s < 20


def test_no_fault_that_is_left_can_go() -> None:
    """The violation needs each of them."""
    left = shrunk("trusting-follower").saved
    numbers = list(dict.fromkeys(step.number for step in left.schedule))
    assert numbers
    for number in numbers:
        rest = tuple(step for step in left.schedule if step.number != number)
        assert left.kinds[0] not in probe(left.plan, schedule=rest, tuning=left.tuning).kinds


def test_what_is_left_is_found_again_from_its_text() -> None:
    left = shrunk("trusting-follower").saved
    text = json.dumps(left.to_json())
    assert saved.of_json(text, "it") == left
    one = found_again(text)
    assert left.kinds[0] in one.kinds
    assert f"{one.trace_hash:016x}" == left.trace_hash


def test_nothing_wrong_cannot_shrink() -> None:
    correct = replace(failing("figure-eight"), plan=plan_of(None, 1))
    with pytest.raises(CannotShrinkError, match="breaks no promise"):
        shrink(correct)


def test_another_violation_is_not_the_one_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer faults something else goes wrong."""
    was = failing("trusting-follower")
    one = probe(was.plan, schedule=was.schedule, tuning=was.tuning)

    def another(plan: Plan, *, schedule: Sequence[Step], tuning: Tuning) -> Probe:
        kind = "two-leaders" if tuple(schedule) == was.schedule else "no-progress"
        return replace(one, findings=(Finding("invariants", kind, ""),))

    monkeypatch.setattr("harness.shrink.probe", another)
    found = shrink(was)
    assert found.tries > 1
    assert (found.saved.schedule, found.saved.kinds) == (was.schedule, ("two-leaders",))


def test_no_time_leaves_the_schedule_as_it_was() -> None:
    was = failing("trusting-follower")
    found = shrink(was, 0.0)
    assert (found.saved.schedule, found.after) == (was.schedule, found.before)


# From a run directory, on the command line.


def test_shrink_writes_a_run_and_a_test_that_fails_for_as_long_as_the_bug_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = failing("figure-eight").plan
    run = carry_out(plan, tmp_path / "reports/runs").directory
    assert main(["shrink", str(run)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("commit-of-earlier-term with ") and "\n  test:   pytest " in said
    small = (tmp_path / "reports/runs/latest").resolve()
    assert small != run.resolve()
    (test,) = small.glob("test_*.py")
    assert test.name == f"test_commit_of_earlier_term_seed_{plan.seed}.py"
    assert main(["judge", str(small)]) == 1
    assert main(["replay", str(small)]) == 1, "a replay ends as the run did"
    assert "the same trace, verdict no" in capsys.readouterr().out
    (tmp_path / "test_mended.py").write_text(
        test.read_text().replace('"mutant": "figure-eight"', '"mutant": null')
    )
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test), "test_mended.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "1 failed, 1 passed" in ended.stdout and f"FAILED {test.relative_to(tmp_path)}" in ended.stdout
    assert "by counting" in ended.stdout, "it says what is wrong"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of the correct system."""
    plan = Plan("append", ("partition",), 3, "sim", time_limit_s=3.0, rate=8.0, concurrency=3)
    return carry_out(plan, tmp_path_factory.mktemp("runs")).directory


@pytest.fixture
def run(clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be spoilt."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(clean, tmp_path / "run"))


def test_a_run_that_keeps_its_promises(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shrink", str(run)]) == 1
    assert capsys.readouterr().err == (
        "crosswind: carried out again, this run breaks no promise; there is nothing to do\n"
    )
    assert not Path("reports").exists()


Spoil = Callable[[dict[str, Any]], Any]


def other(*path: str | int, value: Any = None) -> Spoil:
    """run.json with something else at this place; None: with nothing there."""

    def spoil(meta: dict[str, Any]) -> None:
        at: Any = meta
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value

    return spoil


BAD: dict[str, tuple[Spoil, str]] = {
    "a local cluster's": (other("plan", "cluster", value="local"), "only the simulator's runs"),
    "another schema": (other("schema", value=99), "written with schema 99; this version reads schema 1"),
    "no plan": (other("plan"), "only the simulator's runs"),
    "a plan with something new": (other("plan", "colour", value="red"), "a plan of another version"),
    "a plan without a seed": (other("plan", "seed"), "a plan of another version"),
    "a seed that is no number": (other("plan", "seed", value="x"), ""),
    "nemeses that are none": (other("plan", "nemeses", value=3), ""),
    "a mutant of another version": (other("plan", "mutant", value="gone"), "no such mutant"),
    "nobody knows the tuning": (other("facts", "tuning"), "no tuning or trace_hash"),
    "no trace hash": (other("facts", "trace_hash"), "no tuning or trace_hash"),
    "no schedule": (other("schedule"), "a schedule is a list of steps"),
    "a schedule cut short": (lambda meta: meta["schedule"].pop(), "has no heal"),
    "a step cut short": (other("schedule", 0, "options"), "'options' is missing"),
    "a nemesis of another version": (other("schedule", 0, "nemesis", value="flood"), "flood"),
    "knobs that are none": (other("facts", "tuning", "knobs", value=[1]), "knobs are [1]"),
    "a knob of another version": (other("facts", "tuning", "knobs", "speed", value=3), "knobs are "),
    "a knob that is no number": (
        other("facts", "tuning", "knobs", "max_batch", value="3"),
        "knob max_batch is '3'",
    ),
}


@pytest.mark.parametrize("verb", ["shrink", "replay"])
@pytest.mark.parametrize("what", BAD)
def test_a_record_that_cannot_be_carried_out_again(
    what: str, verb: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, said = BAD[what]
    meta = json.loads((run / "run.json").read_text())
    spoil(meta)
    (run / "run.json").write_text(json.dumps(meta))
    assert_refused([verb, str(run)], said, capsys)


@pytest.mark.parametrize("verb", ["shrink", "replay"])
def test_no_record(verb: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "run.json").write_bytes((run / "run.json").read_bytes()[:-200])
    assert_refused([verb, str(run)], "not JSON, or cut short", capsys)
    (run / "run.json").unlink()
    assert_refused([verb, str(run)], "it has no run.json", capsys)
    assert_refused([verb, str(run / "history.jsonl")], "not a directory", capsys)
    assert_refused([verb, str(run / "nowhere")], "no such directory", capsys)
    assert_refused([verb], "arguments are required: run", capsys)


def assert_refused(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 64
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("crosswind") and error.count("\n") == 1, error
    assert said in error
    assert not Path("reports").exists(), "nothing is half-written"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "crosswind-replay", "version": 2}'])
def test_a_schedule_that_no_release_wrote(text: str) -> None:
    with pytest.raises(RecordError, match=r"^this schedule: ") as error:
        found_again(text)
    assert "\n" not in str(error.value)

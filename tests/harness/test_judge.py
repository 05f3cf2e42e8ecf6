"""A run is judged by all of its checkers, and what cannot be judged is never green."""

from pathlib import Path
from typing import Any

import pytest

import harness.judge
from checkers import CHECKERS, RUN_CHECKERS
from checkers.history import History, HistoryError
from checkers.verdict import Validity, Verdict, worst
from harness.judge import judge
from nemesis import NEMESES
from reports.record import RecordError, Run
from workloads import WORKLOADS


def run(workload: str = "append", status: str = "done", nemeses: Any = ("none",)) -> Run:
    plan = {"workload": workload, "nemeses": nemeses}
    return Run(Path("there"), {"plan": plan, "status": status}, History())


def fine(name: str) -> Any:
    return lambda history: Verdict(name, Validity.YES, "fine")


@pytest.fixture
def all_fine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    checkers = {name: fine(name) for name in CHECKERS}
    monkeypatch.setattr(harness.judge, "CHECKERS", checkers)
    return checkers


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_checkers_of_every_run_and_those_of_the_workload(workload: str) -> None:
    own = WORKLOADS[workload].checkers
    assert own
    assert {verdict.checker for verdict in judge(run(workload))} == {*RUN_CHECKERS, *own}


def test_and_those_of_its_nemeses_once() -> None:
    named = {name: nemesis.checkers for name, nemesis in NEMESES.items() if nemesis.checkers}
    assert named == {"stop": ("availability",), "cloud": ("availability",)}
    said = [verdict.checker for verdict in judge(run(nemeses=["pause", "stop", "cloud"]))]
    assert said.count("availability") == 1
    assert "availability" not in [verdict.checker for verdict in judge(run(nemeses=["pause"]))]


@pytest.mark.parametrize("nemeses", [["kil"], 3, [["kill"]]])
def test_nemeses_that_are_not_known_here_are_refused(nemeses: Any) -> None:
    with pytest.raises(RecordError, match=r"plan\.nemeses is .*; expected some of: none, partition"):
        judge(run(nemeses=nemeses))


def test_only_a_run_that_finished_can_be_green(all_fine: dict[str, Any]) -> None:
    assert worst(judge(run())) is Validity.YES
    for verdicts in (
        judge(run(), crash="ClusterError: gone"),
        judge(run(status="crashed: ClusterError: gone")),
        judge(run(status="running")),
        judge(run(status="")),
    ):
        assert worst(verdicts) is Validity.UNKNOWN


@pytest.mark.parametrize("trouble", [HistoryError("op 3: strange"), KeyError("index"), RecursionError()])
def test_a_checker_that_fails_has_not_judged(all_fine: dict[str, Any], trouble: Exception) -> None:
    def failing(history: History) -> Verdict:
        raise trouble

    all_fine["monotone"] = failing
    doubtful = [verdict for verdict in judge(run()) if verdict.valid is not Validity.YES]
    assert [(verdict.checker, verdict.valid) for verdict in doubtful] == [("monotone", Validity.UNKNOWN)]

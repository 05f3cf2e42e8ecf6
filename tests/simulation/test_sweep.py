"""`crosswind sweep`: what it counts, what it keeps, and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from harness import saved
from harness.cli import main
from harness.executors import processes
from harness.plan import Plan
from harness.probe import Finding, Probe, probe
from harness.sweep import Campaign, Tally, sweep
from system.clusters.sim import SimCluster
from system.control_plane.state_machine import StateMachine

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run directories land in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def runs(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("reports/runs/*") if not path.is_symlink())


def as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    said: dict[str, Any] = json.loads(lines[0])
    return said


def swept(campaign: Campaign, jobs: int = 1) -> Tally:
    with processes(jobs) as (executor, at_a_time):
        return sweep(campaign, executor, at_a_time)


def figures(tally: Tally) -> dict[str, Any]:
    """All that does not depend on the host."""
    said = tally.to_json()
    return {name: value for name, value in said.items() if name not in ("cpu_s", "wall_s")}


def test_a_correct_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--seeds", "5"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("5 seeds, ") and said.splitlines()[0].endswith("; 0 violations")
    assert runs(tmp_path) == []


def test_a_planted_bug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named with the line that finds it again; the recorded run shows the same, judged anew."""
    assert main(["sweep", "--seeds", "50", "--mutant", "C01"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"; 1 violation\n(.*\n)*\nseed \d+: invariants: commit-of-earlier-term: ", said)
    (run,) = runs(tmp_path)
    assert f"report:  {run.relative_to(tmp_path)}/report.html" in said and (run / "report.html").exists()
    assert main(["judge", str(run)]) == 1
    assert "commit-of-earlier-term" in capsys.readouterr().out
    plan = saved.of_run(run).plan
    assert f"  again:   {plan.command}" in said.splitlines()
    assert probe(plan).kinds == {"commit-of-earlier-term"}


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--seeds", "4", "--seed", "3", "--format", "json"]) == 0
    clean = as_json(capsys)
    assert list(clean) == [
        *("seeds", "violations", "vacuous", "never_ok", "simulated_s", "cpu_s", "wall_s", "operations"),
        *("first_failing_seed", "mutant", "runs"),
    ]
    assert (clean["seeds"], clean["violations"], clean["first_failing_seed"]) == (4, {}, None)
    assert clean["simulated_s"] > 4 * 12 and clean["cpu_s"] > 0 and clean["operations"] > 100
    assert (clean["mutant"], clean["runs"]) == (None, [])
    assert main(["sweep", "--seeds", "4", "--seed", "3", "--mutant", "half-quorum", "--format", "json"]) == 1
    broken = as_json(capsys)
    assert (broken["seeds"], broken["violations"], broken["first_failing_seed"]) == (1, {"invariants": 1}, 3)
    assert broken["mutant"] == "half-quorum"
    assert [tmp_path / path for path in broken["runs"]] == runs(tmp_path)


def test_all_are_counted_and_so_many_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sweep", "--seeds", "6", "--mutant", "half-quorum", "--all", "--keep", "2"]
    assert main([*words, "--format", "json"]) == 1
    said = as_json(capsys)
    assert said["seeds"] == 6 and said["violations"]["invariants"] == 6 and said["first_failing_seed"] == 1
    assert len(said["runs"]) == len(runs(tmp_path)) == 2


def test_none_need_be_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--mutant", "half-quorum", "--keep", "0"]) == 1
    said = capsys.readouterr().out
    assert "again:   pytest " in said and "report:" not in said
    assert "1 more failing seeds have no run directory (--keep)" in said
    assert runs(tmp_path) == []


@pytest.mark.parametrize("mutant", [None, "timeout-is-failure"])
def test_two_processes_count_what_one_does(mutant: str | None) -> None:
    campaign = Campaign(first=1, seeds=5, mutant=mutant, count_all=True)
    one, two = swept(campaign), swept(campaign, jobs=2)
    assert figures(one) == figures(two)
    assert [p.plan.seed for p in one.found] == sorted(p.plan.seed for p in two.found)
    assert bool(one.found) == (mutant is not None)


def test_the_time_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--seeds", "1000000", "--time", "500ms", "--format", "json"]) == 0
    said = as_json(capsys)
    assert 0 < said["seeds"] < 1000
    assert said["wall_s"] >= 0.5


def test_by_what_the_clients_saw_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A vote that was not kept is nothing that a client could see; an answer that was wrong is."""
    few = ["sweep", "--seeds", "2", "--format", "json"]
    assert main([*few, "--mutant", "vote-in-memory"]) == 1
    assert as_json(capsys)["violations"] == {"invariants": 1}
    assert main([*few, "--mutant", "vote-in-memory", "--client-only"]) == 0
    assert main([*few, "--mutant", "timeout-is-failure", "--client-only"]) == 1
    capsys.readouterr()
    assert main(["judge", str(runs(tmp_path)[-1])]) == 1


def test_a_kind_of_operation_that_never_succeeds_is_not_green(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = StateMachine._execute

    def without_cas(self: StateMachine, index: int, command: dict[str, Any]) -> dict[str, Any]:
        return right(self, index, command | {"op": command["op"].replace("cas", "dog")})

    monkeypatch.setattr(StateMachine, "_execute", without_cas)
    arguments = ["sweep", "--workload", "register", "--seeds", "20"]
    assert main(arguments) == 3
    assert re.search(r"none of \d+ cas operations succeeded, so nothing is known of", capsys.readouterr().out)
    assert main([*arguments, "--format", "json"]) == 3
    assert as_json(capsys)["never_ok"].keys() == {"cas"}


def test_seeds_take_turns_with_the_workloads() -> None:
    campaign = Campaign()
    assert [campaign.plan(seed).workload for seed in range(4)] == ["append", "register"] * 2
    assert Campaign(workloads=("register",)).plan(4).workload == "register"


@pytest.fixture
def swept_seeds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that are probed, in order; only the first seed of all shows a violation."""
    seeds: list[int] = []

    def noted(plan: Plan, *, inside: bool) -> Probe:
        seeds.append(plan.seed)
        findings = (Finding("invariants", "two-votes", ""),) if plan.seed == 1 else ()
        return Probe(plan, findings, "", 0, 1.0, 0.0, 9, (), {}, {})

    monkeypatch.setattr("harness.sweep.probe", noted)
    return seeds


def test_every_seed_has_its_turn_once(swept_seeds: list[int]) -> None:
    tally = swept(Campaign(first=5, seeds=100))
    assert swept_seeds == list(range(5, 105))
    assert (tally.probes, tally.operations) == (100, 900)


class Late(Executor):
    """Carries out the first task at once, and the others when it is told to."""

    def __init__(self) -> None:
        self._is_first = True
        self._waiting: list[Callable[[], None]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._waiting.append(lambda: future.set_result(fn(*args, **named)))
        if self._is_first:
            self.go_on()
        self._is_first = False
        return future

    def go_on(self) -> None:
        for carry_out in self._waiting:
            carry_out()
        self._waiting.clear()


@pytest.mark.usefixtures("swept_seeds")
def test_what_is_under_way_when_a_violation_is_found_counts_too() -> None:
    late = Late()
    tally = sweep(Campaign(seeds=50), late, 3, lambda _: late.go_on())
    assert (tally.probes, tally.first_failing_seed) == (1 + 2 + 4, 1)


def test_faults_that_take_no_effect_prove_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cluster whose links cannot be cut after all."""

    async def does_nothing(cluster: SimCluster, links: Any, kind: str) -> dict[str, Any]:
        return cluster.network.bytes(links)

    monkeypatch.setattr(SimCluster, "cut", does_nothing)
    monkeypatch.setattr(SimCluster, "mend", lambda cluster, links: does_nothing(cluster, links, ""))
    assert main(["sweep", "--seeds", "2", "--nemesis", "partition"]) == 3
    assert "2 runs could have shown nothing (no fault took effect: 2)" in capsys.readouterr().out
    assert main(["sweep", "--seeds", "2", "--nemesis", "partition,kill"]) == 0


def test_a_nemesis_of_workers_finds_some() -> None:
    """Few of the swarm's clusters have workers, unless they are to suffer."""
    tally = swept(Campaign(first=1, seeds=2, nemeses=("swarm", "workers")))
    assert (tally.probes, tally.found) == (2, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--mutant nope", "--mutant=nope: no such mutant"),
        ("--mutant local-read", "did you mean local-reads?"),
        ("--nemesis nope", "--nemesis=nope: no such nemesis"),
        ("--nemesis partition,partition", "name one nemesis or several different ones"),
        ("--nemesis swarm,none", "'none' goes with no other nemesis"),
        ("--nemesis minio", "minio needs a cluster that has minio"),
        ("--nodes 1", "swarm needs at least 3 nodes"),
        ("--nodes 4", "--nodes=4"),
        ("--workload nope", "--workload=nope: no such workload"),
        ("--workload storage", "storage needs a cluster that has minio"),
        ("--seeds 0", "--seeds=0: expected a whole number of at least 1"),
        ("--seeds x", "argument --seeds: invalid int value: 'x'"),
        ("--seed x", "argument --seed: invalid int value: 'x'"),
        ("--seed 1.5", "argument --seed: invalid int value: '1.5'"),
        ("--seed -1", "--seed=-1: expected a number from 0"),
        ("--seed 9223372036854775807 --seeds 2", "--seed=9223372036854775808: expected a number from 0"),
        ("--rate nan", "--rate=nan: expected a number"),
        ("--concurrency 0", "--concurrency=0: expected a number"),
        ("--jobs 0", "--jobs=0: expected a whole number of at least 1"),
        ("--keep -1", "--keep=-1: expected a whole number of at least 0"),
        ("--time soon", "expected a time such as 30s"),
        ("--format xml", "argument --format: invalid choice: 'xml'"),
    ],
)
def test_bad_input_is_one_line(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", *words.split()]) == 64
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("crosswind") and error.count("\n") == 1
    assert said in error
    assert not (tmp_path / "reports").exists()

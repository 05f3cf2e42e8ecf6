"""Plans: what is accepted, what a run is called, and that its command line means the same plan."""

import shlex
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import PlanError
from harness.plan import Plan
from system.clusters.registry import CLUSTERS


def test_a_run_is_named_after_what_it_does() -> None:
    assert Plan("append", ("partition",), 7).id == "append-partition-local-s7"
    assert Plan("append", ("partition", "pause"), 7, nodes=5).id == "append-partition+pause-local-s7-n5"


def test_the_command_names_only_what_is_not_usual() -> None:
    assert (
        Plan("append", ("partition",), 7).command == "pytest --workload=append --nemesis=partition --seed=7"
    )
    plan = Plan("register", ("kill", "pause"), 3, rate=200.0, time_limit_s=30.0, nodes=5, mutant=None)
    assert shlex.split(plan.command)[1:] == [
        "--workload=register",
        "--nemesis=kill,pause",
        "--seed=3",
        "--time-limit=30",
        "--rate=200",
        "--nodes=5",
    ]


def test_which_clusters_can_is_said_from_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(able: frozenset[str]) -> Any:
        return SimpleNamespace(capabilities=able, node_counts=(3,))

    local = CLUSTERS["local"]
    monkeypatch.setattr(
        "harness.plan.CLUSTERS",
        {"local": local, "a": made(frozenset({"lose"})), "b": made(frozenset({"rate", "lose"}))},
    )
    with pytest.raises(PlanError, match=r"clusters that can: a, b$"):
        Plan("append", ("loss",), 1)
    with pytest.raises(PlanError, match=r"clusters that can: b$"):
        Plan("append", ("rate",), 1)
    with pytest.raises(PlanError, match=r"clusters that can: none$"):
        Plan("append", ("corrupt",), 1)
    assert Plan("append", ("loss",), 1, cluster="a").id == "append-loss-a-s1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"workload": "apend"},
            "--workload=apend: no such workload; there are: append, register, storage; did you mean append?",
        ),
        ({"nemeses": ("partitoin",)}, "--nemesis=partitoin: no such nemesis; there are: none, partition"),
        ({"nemeses": ()}, "name one nemesis"),
        ({"nemeses": ("pause", "pause")}, "several different ones"),
        ({"nemeses": ("none", "pause")}, "'none' goes with no other nemesis"),
        ({"cluster": "dcoker"}, "no such cluster; there are: local"),
        ({"nodes": 4}, "1 or 3 or 5 nodes"),
        ({"seed": -1}, "--seed=-1: expected a number from 0"),
        ({"rate": 0.0}, "--rate=0: expected a number from 0.1"),
        ({"time_limit_s": float("nan")}, "--time-limit=nan: expected a number"),
        ({"concurrency": 0}, "--concurrency=0: expected a number from 1"),
        ({"mutant": "nobody"}, "no such mutant"),
        ({"mutant": "nameless-log"}, "only simulated nodes can have this bug; add --cluster=sim"),
        (
            {"nemeses": ("loss",)},
            "--nemesis=loss --cluster=local: loss needs a cluster that can lose; local can cut, ",
        ),
        ({"nemeses": ("gateway",)}, "gateway needs a cluster that has gateway; local can cut"),
        ({"nemeses": ("stop",), "nodes": 1}, "stop needs at least 3 nodes"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_in_one_line(
    change: dict[str, object], says: str
) -> None:
    with pytest.raises(PlanError) as refusal:
        Plan(**({"workload": "append", "nemeses": ("partition",), "seed": 1} | change))  # type: ignore[arg-type]
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)

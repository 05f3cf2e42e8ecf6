"""The phases of a run that goes well, against a cluster and clients that only pretend."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

import harness.run
import harness.trial
from checkers.history import NEMESIS, History
from checkers.verdict import Validity, Verdict
from harness.plan import Plan
from harness.run import carry_out
from nemesis import NEMESES
from nemesis.nemesis import Evidence, Step
from reports.record import RecordError, load
from system.client import Answer, Request, Unresolved
from system.clusters.clock import HostClock
from system.clusters.registry import CLUSTERS

NODES = ("cp-aws-1", "cp-gcp-1", "cp-azure-1")
PLAN = Plan("append", ("partition",), 5, time_limit_s=3.0, mutant="local-reads")
NS_PER_S = 1_000_000_000


class Pretended:
    """A cluster that has a leader after half a second, and of which a node ends while it is stopped."""

    name = "local"
    clock = HostClock
    capabilities = frozenset({"cut"})
    nodes = NODES
    workers = ()
    client_sites = ("client-aws",)
    cluster_id = "pretended"
    made: dict[str, Any]
    leads_ns: int

    def __init__(self, seed: int, **options: Any) -> None:
        type(self).made = options
        self.starts: dict[str, int] = {}
        self.exits: list[dict[str, Any]] = []

    async def start(self) -> None:
        self.starts = dict.fromkeys(NODES, 1)
        type(self).leads_ns = time.monotonic_ns() + NS_PER_S // 2

    async def stop(self) -> None:
        self.starts = dict.fromkeys(NODES, 2)
        self.exits.append({"node": "cp-gcp-1", "time_ns": 0, "code": 3})

    async def still_harmed(self) -> list[str]:
        return ["cp-aws-1 is stopped"]

    async def save_logs(self, into: Path) -> None:
        into.mkdir(parents=True)

    def addresses(self, site: str) -> dict[str, str]:
        return dict.fromkeys(NODES, "nowhere")

    def client(self, site: str, **_: Any) -> Any:
        return Client()

    async def statuses(self) -> dict[str, dict[str, Any]]:
        return {node: self._status(node) for node in NODES}

    def _status(self, node: str) -> dict[str, Any]:
        role = "leader" if node == NODES[0] and time.monotonic_ns() >= self.leads_ns else "follower"
        return {
            "node": node, "boot": 1, "term": 1, "role": role, "leader": "",
            "commit_index": 1, "applied_index": 1, "last_log_index": 1,
        }  # fmt: skip

    async def worker_states(self) -> dict[str, Any]:
        return {"node": NODES[0], "workers": {}}


class Client:
    """Answers everything but every third of the reads."""

    asked = 0

    async def open(self, deadline_s: float) -> None: ...
    async def close(self) -> None: ...

    async def submit(self, request: Request, *, ask_twice: bool = False) -> Answer:
        Client.asked += 1
        if Client.asked % 3 == 0:
            raise Unresolved("timed out", NODES[0])
        return Answer(NODES[0], Client.asked)


class Noted:
    asked: list[str]
    min_time_s = 0.0
    min_nodes = 1
    needs: frozenset[str] = frozenset()
    checkers = ()

    async def inject(self, cluster: Any, step: Step) -> Evidence:
        self.asked = ["inject"]
        return Evidence(True, NODES[:1], "cut", {})

    async def heal(self, cluster: Any, step: Step) -> Evidence:
        self.asked.append("heal")
        return Evidence(True, NODES[:1], "mended", {})


def test_the_phases_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = Noted()
    left_broken = (Step(0, 0.5, "partition", "inject", "isolate-leader", {}),)
    monkeypatch.setitem(CLUSTERS, "local", Pretended)
    monkeypatch.setitem(NEMESES, "partition", noted)
    monkeypatch.setattr(harness.trial, "draw", lambda *_, **__: left_broken)
    result = carry_out(PLAN, tmp_path)
    assert result.crash is None
    assert Pretended.made["mutant"] == "local-reads" and Pretended.made["nodes"] == 3

    history = load(result.directory).history
    facts, phases = history.facts, history.facts["phases"]
    assert list(phases) == ["start", "load", "heal", "recovered", "final", "end"]
    assert sorted(phases.values()) == list(phases.values())
    assert phases["load"] >= Pretended.leads_ns
    assert phases["heal"] - phases["load"] >= 3 * NS_PER_S
    assert facts["nemeses"] == ["partition"]
    assert facts["still_harmed"] == ["cp-aws-1 is stopped"]
    # What the cluster said last counts.
    assert facts["starts"] == dict.fromkeys(NODES, 2)
    assert [end["node"] for end in facts["exits"]] == ["cp-gcp-1"]

    assert noted.asked == ["inject", "heal"]
    (fault,) = history.faults()
    assert phases["heal"] <= (fault.healed_ns or 0) <= phases["recovered"]

    for before, after in (("heal", "recovered"), ("recovered", "final")):
        within = [call for call in calls(history) if phases[before] <= call.invoke.time_ns < phases[after]]
        assert {call.invoke.f for call in within if call.type == "ok"} == {"append"}, before
    written = {call.invoke.value[0] for call in calls(history) if call.invoke.f == "append"}
    last = [call for call in calls(history) if call.invoke.time_ns >= phases["final"]]
    assert {call.invoke.f for call in last} == {"read"}
    assert {call.invoke.value[0] for call in last if call.type == "ok"} == written
    assert facts["final_reads"] == {"wanted": len(written), "answered": len(written)}


def calls(history: History) -> list[Any]:
    return [call for call in history.calls() if call.invoke.process != NEMESIS]


def test_evidence_that_cannot_be_read_is_never_green(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(path: Path) -> Any:
        raise RecordError(f"{path}: cut short")

    monkeypatch.setitem(CLUSTERS, "local", Pretended)
    monkeypatch.setattr(harness.run, "load", unreadable)
    monkeypatch.setattr(Pretended, "start", _fails)
    result = carry_out(PLAN, tmp_path)
    assert result.validity is Validity.UNKNOWN
    assert json.loads((result.directory / "results.json").read_text())["valid"] == "unknown"


async def _fails(self: Any) -> None:
    raise OSError("no room")


def test_no_violation_earns_a_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Verdict("recovery", Validity.UNKNOWN, "slow", evidence={"host_too_slow": True})
    vacuous = Verdict("workers", Validity.VACUOUS, "none", evidence={"host_too_slow": True})
    monkeypatch.setitem(CLUSTERS, "local", Pretended)
    monkeypatch.setattr(Pretended, "start", _fails)
    monkeypatch.setattr(harness.run, "judge", lambda run, crash: [slow, vacuous])
    carry_out(PLAN, tmp_path)
    assert len([path for path in tmp_path.iterdir() if path.name != "latest"]) == 1

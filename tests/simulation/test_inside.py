"""What watches a simulated cluster from inside, shown by planted bugs. What it is told is told by hand in
tests/checkers/test_inside.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from checkers.inside import Watchdog
from harness import simulation
from harness.plan import Plan
from harness.probe import probe
from system.client import Client
from system.control_plane.replica import Replica
from system.raft.messages import AppendEntries
from system.raft.node import RaftNode, State
from system.raft.roles import Ballot
from system.simulation.knobs import Knobs
from system.simulation.node import SimNode
from system.simulation.probes import Probes
from tests.checkers.story import A, B, C


@pytest.mark.parametrize(
    ("mutant", "kind", "workload"),
    [
        ("leads-alone", "leads-alone", "append"),
        ("any-log", "vote-for-less", "append"),
        ("local-reads", "stale-answer", "append"),
        ("fixed-timeout", "same-timeout", "append"),
        ("strict-vote", "vote-refused", "register"),
    ],
)
def test_a_node_is_asked_and_gives_itself_away(mutant: str, kind: str, workload: str) -> None:
    for seed in range(1, 20):
        plan = Plan(workload, ("swarm",), seed, "sim", rate=8.0, concurrency=5)
        if kind in probe(replace(plan, mutant=mutant)).kinds:
            assert probe(plan).kinds == frozenset()
            return
    pytest.fail("it did not in 19 seeds")


@pytest.mark.parametrize("method", ["on_append_entries", "on_request_vote"])
def test_who_does_not_wait_for_a_leader_gives_itself_away(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    right: Callable[..., None] = getattr(RaftNode, method)

    def impatient(self: RaftNode, *heard: Any) -> None:
        due_ns = self.election_due_ns
        right(self, *heard)
        self.election_due_ns = due_ns

    monkeypatch.setattr(RaftNode, method, impatient)
    plans = (Plan("append", ("swarm",), seed, "sim", rate=8.0, concurrency=5) for seed in range(1, 30))
    assert any("needless-election" in probe(plan).kinds for plan in plans)


def test_who_steps_down_although_it_is_heard_gives_itself_away(monkeypatch: pytest.MonkeyPatch) -> None:
    right = RaftNode.check_quorum

    def hears_nobody(self: RaftNode, now_ns: int) -> None:
        for progress in self.progress.values():
            progress.answered = False
        right(self, now_ns)

    monkeypatch.setattr(RaftNode, "check_quorum", hears_nobody)
    (first, *_) = probe(Plan("append", ("none",), 1, "sim")).findings
    assert first.kind == "needless-step-down"


def test_who_has_stepped_down_leads_no_more_though_its_disk_is_late_to_say_so() -> None:
    """The seed that showed it: while the node's syncs took a second, its event log still had it lead."""
    found = probe(Plan("append", ("swarm",), 22384, "sim", rate=8.0, concurrency=5))
    assert not found.findings
    for state, complaints in ((State.LEADER, 1), (State.FOLLOWER, 0)):
        probes, _, objected = probed(state=state, led_since_ns=1)
        probes.timer_fired()
        assert objected == ["leads-alone"] * complaints


def test_whoever_stood_before_it_gave_away_its_vote_was_not_impatient() -> None:
    """Seed 65690: what it asked for first left it no sooner than its vote for another."""
    probes, node, objected = probed(ballot=Ballot(4, True, set()))
    probes.timer_fired()
    probes.heard(B, AppendEntries(3, B, 0, 0, (), 0, 0))
    probes.timer_fired()
    assert not objected
    node.replica.node.ballot = Ballot(4, True, set())
    probes.timer_fired()
    assert objected == ["needless-election"]


def probed(
    state: State = State.FOLLOWER, led_since_ns: int | None = None, ballot: Ballot | None = None
) -> tuple[Probes, Any, list[str]]:
    """(what watches a node of three, the node, the kinds of what it objects to)."""
    objected: list[str] = []
    watching: Any = SimpleNamespace(
        object=lambda kind, *_: objected.append(kind),
        is_deposed=lambda _: False,
        waits=lambda *_: None,
    )
    core = SimpleNamespace(state=state, current_term=3, ballot=ballot, election_due_ns=9_500_000_000)
    node: Any = SimpleNamespace(
        name=A,
        boot=1,
        world=SimpleNamespace(nodes=(A, B, C)),
        loop=SimpleNamespace(now_ns=9_000_000_000),
        local_ns=lambda: 9_000_000_000,
        led_since_ns=led_since_ns,
        replica=SimpleNamespace(node=core),
    )
    return Probes(node, watching, (300, 600)), node, objected


@pytest.mark.parametrize("left_out", ["apply", "commit"])
def test_who_tells_less_than_it_does_gives_itself_away(
    monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    right = SimNode.write

    def silent(self: SimNode, event: str, **fields: Any) -> None:
        if event != left_out:
            right(self, event, **fields)

    monkeypatch.setattr(SimNode, "write", silent)
    assert "untold" in probe(Plan("append", ("none",), 1, "sim")).kinds


def says_nothing(self: Replica) -> None:
    """Of what it was asked while it led."""


def says_everything_twice(self: Replica, done: Callable[[Any], None], outcome: Any) -> None:
    self._answers += [(done, outcome), (done, outcome)]


@pytest.mark.parametrize(
    ("method", "wrong", "kind", "shell"),
    [
        ("_give_up_lost_tenure", says_nothing, "unanswered", False),
        ("_give_up_lost_tenure", says_nothing, "unanswered", True),
        ("_answer", says_everything_twice, "answered-twice", False),
    ],
)
def test_every_request_is_answered_once(
    monkeypatch: pytest.MonkeyPatch, method: str, wrong: Any, kind: str, shell: bool
) -> None:
    """Whose clients would not notice, since they ask another after a while."""
    plan = Plan("append", ("partition",), 1, "sim")
    monkeypatch.setattr(Replica, method, wrong)
    tuned = replace(simulation.tuning(plan), knobs=Knobs(shell=shell))
    assert kind in probe(plan, tuning=tuned, to_the_end=True).kinds


def test_a_run_in_which_time_stands_still_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    right, times = RaftNode.start_pre_vote, count()

    def again_at_once(self: RaftNode, now_ns: int) -> None:
        right(self, now_ns)
        self.election_due_ns = now_ns - next(times)

    monkeypatch.setattr(RaftNode, "start_pre_vote", again_at_once)
    monkeypatch.setattr("system.simulation.loop.MOST_EVENTS", 5_000)
    (finding,) = probe(Plan("append", ("none",), 1, "sim")).findings
    assert (finding.by, finding.kind) == ("progress", "no-end")
    assert "again and again" in finding.message


@pytest.mark.parametrize("owner", [RaftNode, Client])
def test_an_endless_loop_comes_to_an_end(monkeypatch: pytest.MonkeyPatch, owner: type) -> None:
    """In a node, which ends by it, and in a client."""

    def endless(*_: Any, **__: Any) -> None:
        while True:
            pass

    monkeypatch.setattr(owner, "start_pre_vote" if owner is RaftNode else "_command", endless)
    monkeypatch.setattr(simulation, "ENDLESS_S", 0.2)
    findings = probe(Plan("append", ("none",), 1, "sim")).findings
    assert any("comes to no end" in finding.message for finding in findings), findings


def test_whoever_is_answered_or_cut_off_by_a_crash_no_longer_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    for method in ("asked", "answered"):
        monkeypatch.setattr(Watchdog, method, lambda *_, method=method: told.append(method))
    found = probe(Plan("register", ("kill",), 7, "sim"))
    assert not found.findings
    assert told.count("asked") == told.count("answered") > 300

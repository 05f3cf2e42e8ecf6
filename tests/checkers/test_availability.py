"""Commands go on while a minority is silenced. n1 leads, until n2 does; times are in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from checkers import CHECKERS
from checkers.history import History, Op
from checkers.verdict import Validity, Verdict
from tests.checkers.build import MS, Did, Event, append, at, boot, fault, history, logs, ops, read, role, term

S = 1000  # a second
NODES = ("n1", "n2", "n3")


def outage(
    nodes: Sequence[str],
    inject_ms: float,
    heal_ms: float | None,
    *,
    step: int = 1,
    nemesis: str = "stop",
    said: dict[str, Any] | None = None,
    took_effect: bool = True,
) -> list[Op]:
    """A fault with the evidence of a graceful stop, or that given."""
    evidence = {"stopped": dict.fromkeys(nodes, said or {"pid": 7, "gone": True})}
    recorded = fault(step, nemesis, nodes, inject_ms, heal_ms, took_effect=took_effect)
    return [
        replace(op, value=op.value | {"evidence": evidence}) if "evidence" in op.value else op
        for op in recorded
    ]


def went_on(start_s: float, end_s: float, *, every_ms: int = 200, first: int = 1, **more: Any) -> list[Did]:
    """Commands that are answered 50 ms after they were asked for."""
    times = range(int(start_s * S), int(end_s * S), every_ms)
    return [
        append(process, "k", process, time, time + 50, witness=process, **more)
        for process, time in enumerate(times, first)
    ]


def hung(start_s: float, end_s: float, *, every_ms: int = 500, first: int = 1000, **more: Any) -> list[Did]:
    """Commands that are given up after 2 s."""
    times = range(int(start_s * S), int(end_s * S), every_ms)
    return [
        append(process, "k", process, time, time + 2 * S, type="info", **more)
        for process, time in enumerate(times, first)
    ]


def ran(did: Sequence[Did], faults: Sequence[Op], *, end_s: float = 60, **more: Any) -> History:
    led: list[Event] = [boot(), term(1), at(1, role("leader", 1))]
    followed: list[Event] = [boot(), term(1)]
    facts = {"phases": {"start": 0, "end": int(end_s * S * MS)}, "workers": ["w1"]} | more.pop("facts", {})
    events = more.pop("events", None) or logs(n1=[led], n2=[followed], n3=[followed])
    return history(ops(*did, faults=faults), events, facts=facts, **more)


def availability(*args: Any, **more: Any) -> Verdict:
    return CHECKERS["availability"](ran(*args, **more))


def test_commands_go_on_under_the_leader_or_soon_under_a_new_one() -> None:
    verdict = availability(went_on(1, 20), outage(["n3"], 5 * S, 12 * S))
    assert verdict.valid is Validity.YES
    assert verdict.evidence["outages_judged"] == 1
    assert verdict.evidence["slowest_first_ms"] == 50.0
    assert verdict.evidence["longest_gap_ms"] == 50.0
    for nodes in (["n3"], ["n1"]):
        paused = [*went_on(1, 5), *hung(5, 7), *went_on(8, 20, first=100)]
        verdict = availability(paused, outage(nodes, 5 * S, 12 * S))
        assert verdict.valid is Validity.YES, verdict.summary
        assert verdict.evidence["slowest_first_ms"] == 2550.0


def test_under_a_leader_that_nothing_harms_they_may_not_stand_still_for_long() -> None:
    did = [*went_on(1, 5), *hung(5, 12)]
    verdict = availability(did, outage(["n3"], 5 * S, 12 * S))
    assert [anomaly.kind for anomaly in verdict.anomalies] == ["no-progress"]
    assert "no command was acknowledged in 6.5 s from append" in verdict.summary
    assert "during stop of n3 (step 1), although nothing kept n1 and n2 from going on" in verdict.summary
    assert "at most 5.0 s" in verdict.summary
    assert availability(did, outage(["n1"], 5 * S, 12 * S)).valid is Validity.VACUOUS, "an election may last"
    assert availability(did, outage(["n3"], 5 * S, 9.9 * S)).valid is Validity.VACUOUS, "over too soon"


def test_after_its_leader_was_harmed_a_cluster_has_the_time_of_an_election() -> None:
    verdict = availability([*hung(5, 21)], outage(["n1"], 5 * S, 21.5 * S))
    assert verdict.valid is Validity.VACUOUS, "it was never asked for commands in a run that had none"
    known = went_on(1, 5)
    verdict = availability([*known, *hung(5, 21)], outage(["n1"], 5 * S, 21.5 * S))
    assert verdict.valid is Validity.NO
    assert "at most 15.0 s" in verdict.summary
    late = [*known, *hung(5, 18), *went_on(18, 30, first=100)]
    assert availability(late, outage(["n1"], 5 * S, 25 * S)).valid is Validity.YES


def test_once_they_go_on_they_may_not_stop_again() -> None:
    did = [*went_on(1, 7), *hung(7, 14), *went_on(14, 20, first=100)]
    for nodes in (["n3"], ["n1"]):
        verdict = availability(did, outage(nodes, 5 * S, 20 * S))
        assert verdict.valid is Validity.NO, verdict.summary
        assert "no command was acknowledged in 7" in verdict.summary
    assert availability(did, outage(["n3"], 5 * S, 11 * S)).valid is Validity.YES, "the outage was over"


def test_where_nobody_led_before_the_outage_there_may_be_an_election() -> None:
    follow: list[Event] = [boot(), term(1)]
    events = logs(n1=[follow], n2=[follow], n3=[follow])
    did = [*went_on(1, 5), *hung(5, 12)]
    assert availability(did, outage(["n3"], 5 * S, 12 * S), events=events).valid is Validity.VACUOUS
    deposed = [boot(), term(1), at(1, role("leader", 1)), term(2), at(4 * S, role("follower", 2))]
    events = logs(n1=[deposed], n2=[[boot(), term(2), at(4.5 * S, role("leader", 2))]], n3=[follow])
    assert availability(did, outage(["n2"], 5 * S, 12 * S), events=events).valid is Validity.VACUOUS
    assert availability(did, outage(["n1"], 5 * S, 12 * S), events=events).valid is Validity.NO


def test_commands_that_nobody_asks_for_prove_nothing() -> None:
    nothing = availability(went_on(1, 5), outage(["n3"], 5 * S, 12 * S))
    assert nothing.valid is Validity.VACUOUS
    # Pinned to a node that need not lead; only reads; asked for rarely.
    for did in (
        hung(5, 12, node="n3"),
        [read(process, "k", [], 5 * S, 12 * S, type="info") for process in (900, 901)],
        hung(5, 5.1),
        hung(11.9, 12),
    ):
        found = availability([*went_on(1, 5), *did], outage(["n3"], 5 * S, 12 * S))
        assert found.valid is Validity.VACUOUS, found.summary


def test_answers_to_commands_of_before_and_answers_after_the_end_are_no_progress() -> None:
    early = append(1, "k", 1, 4.9 * S, 5.5 * S, witness=1)
    late = append(2, "k", 2, 5.1 * S, 13 * S, witness=2)
    assert availability([early, late], outage(["n3"], 5 * S, 12 * S)).valid is Validity.NO
    answered = append(2, "k", 2, 5.1 * S, 5.9 * S, witness=2)
    assert availability([early, answered], outage(["n3"], 5 * S, 12 * S)).valid is Validity.YES


def test_a_command_that_changed_nothing_was_still_acknowledged() -> None:
    missed = [replace(did, f="cas", value=["k", [1, 2]], type="fail") for did in went_on(1, 12)]
    assert availability(missed, outage(["n3"], 5 * S, 12 * S)).valid is Validity.YES


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (["n2", "n3"], None),  # no minority
        (["w1"], None),  # no voter
        (["n3"], {"pid": 7, "gone": False}),
        (["n3"], {"rtt_ms": 80}),  # slow, not silenced
    ],
)
def test_other_faults_are_not_judged(nodes: list[str], said: dict[str, Any] | None) -> None:
    did = [*went_on(1, 5), *hung(5, 12)]
    assert availability(did, outage(nodes, 5 * S, 12 * S, said=said)).valid is Validity.VACUOUS
    unproven = outage(["n3"], 5 * S, 12 * S, took_effect=False)
    assert availability(did, unproven).valid is Validity.VACUOUS


@pytest.mark.parametrize("state", ["T", "frozen"])
def test_who_stands_still_is_silenced_too(state: str) -> None:
    paused = outage(["n3"], 5 * S, 12 * S, nemesis="pause", said={"pid": 7, "state": state})
    assert availability(went_on(1, 20), paused).valid is Validity.YES
    verdict = availability([*went_on(1, 5), *hung(5, 12)], paused)
    assert verdict.valid is Validity.NO
    assert "during pause of n3" in verdict.summary


def test_a_cloud_is_its_control_plane_node_and_more() -> None:
    cloud = outage(["n3", "w1", "minio"], 5 * S, 12 * S, nemesis="cloud")
    assert availability(went_on(1, 20), cloud).valid is Validity.YES
    assert availability([*went_on(1, 5), *hung(5, 12)], cloud).valid is Validity.NO


def test_only_the_time_without_another_fault_is_judged() -> None:
    cut = fault(2, "partition", ["n1"], 7 * S, 9 * S)
    stop = outage(["n3"], 5 * S, 20 * S)
    stuck = [*went_on(1, 7), *hung(7, 12), *went_on(13, 20, first=100)]
    verdict = availability(stuck, [*stop, *cut])
    assert verdict.valid is Validity.YES, verdict.summary
    assert verdict.evidence["outages_judged"] == 2
    # After the cut an election may be due; but not for ever.
    never = availability([*went_on(1, 7), *hung(7, 39)], [*outage(["n3"], 5 * S, 40 * S), *cut])
    assert never.valid is Validity.NO
    assert "at most 15.0 s" in never.summary
    # A fault that covers it all leaves nothing to judge, one of workers or of the store leaves all of it.
    over = fault(2, "partition", ["n1"], 4 * S, 21 * S)
    assert availability(went_on(1, 30), [*stop, *over]).valid is Validity.VACUOUS
    for bystander in ("w1", "minio"):
        aside = fault(2, "workers", [bystander], 4 * S, 21 * S)
        assert availability(went_on(1, 30), [*stop, *aside]).evidence["outages_judged"] == 1


def test_a_fault_that_was_never_healed_lasts_to_the_end() -> None:
    assert availability([*went_on(1, 5), *hung(5, 30)], outage(["n3"], 5 * S, None)).valid is Validity.NO


def test_over_what_was_not_healed_nobody_is_accused() -> None:
    did, stop = [*went_on(1, 5), *hung(5, 30)], outage(["n3"], 5 * S, None)
    verdict = availability(did, stop, facts={"still_harmed": ["n1 is stopped"]})
    assert verdict.valid is Validity.UNKNOWN
    assert verdict.summary == "n1 is stopped, though every fault was healed"


def test_a_slow_host_is_no_fault_of_the_system() -> None:
    did, stop = [*went_on(1, 5), *hung(5, 14)], outage(["n3"], 5 * S, 14 * S)
    assert availability(did, stop).valid is Validity.NO
    extended = availability(did, stop, lag=[(12 * S * MS, 4 * S * MS)])
    assert extended.valid is Validity.VACUOUS, "8.5 s are within 5 s and the 4 that the host stood still"
    did, stop = [*went_on(1, 5), *hung(5, 24)], outage(["n3"], 5 * S, 24 * S)
    slow = availability(did, stop, lag=[(14 * S * MS, 8 * S * MS)])
    assert slow.valid is Validity.UNKNOWN
    assert slow.summary.startswith("host too slow: no command was acknowledged in 18.5 s")
    assert slow.evidence["host_too_slow"] is True


def test_over_a_gap_nobody_is_accused() -> None:
    found = ran([*went_on(1, 5), *hung(5, 12)], outage(["n3"], 5 * S, 12 * S))
    assert CHECKERS["availability"](found).valid is Validity.NO
    gap = replace(found, facts=found.facts | {"events": None})
    verdict = CHECKERS["availability"](gap)
    assert verdict.valid is Validity.UNKNOWN
    assert verdict.evidence["host_too_slow"] is False


def test_a_run_without_outages_is_vacuous_and_one_without_its_end_unknown() -> None:
    assert availability(went_on(1, 20), []).valid is Validity.VACUOUS
    assert CHECKERS["availability"](history()).valid is Validity.UNKNOWN

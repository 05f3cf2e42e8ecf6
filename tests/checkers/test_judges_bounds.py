"""Bounds in time at their edges: who counts as silenced, as leading, as asked and as answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from checkers.history import History, Op
from checkers.verdict import Validity, Verdict
from tests.checkers.build import (
    MS,
    Event,
    append,
    applied,
    at,
    boot,
    committed,
    fault,
    logs,
    read,
    role,
    term,
)
from tests.checkers.test_availability import S, availability, hung, outage, ran, went_on
from tests.checkers.test_time import STOP, recovery, watched, workers
from tests.checkers.test_time import ran as led_to

YES, NO, UNKNOWN, VACUOUS = Validity.YES, Validity.NO, Validity.UNKNOWN, Validity.VACUOUS
BEFORE = went_on(1, 5)


def outage_of(nodes: list[str], start_s: float = 5, end_s: float = 12, **more: Any) -> list[Op]:
    return outage(nodes, start_s * S, end_s * S, **more)


def led(**nodes: list[dict[str, Any]]) -> Any:
    """One boot a node, in term 1."""
    return logs(**{name: [[boot(), term(1), *events]] for name, events in nodes.items()})


def test_half_of_the_nodes_are_no_minority() -> None:
    events = led(n1=[at(1, role("leader", 1))], n2=[], n3=[], n4=[])
    did = [*BEFORE, *hung(5, 12)]
    assert availability(did, outage_of(["n3", "n4"]), events=events).valid is VACUOUS
    assert availability(did, outage_of(["n4"]), events=events).valid is NO


def test_a_run_that_does_not_say_when_it_ended_is_unknown() -> None:
    facts = {"phases": {"start": 0}}
    assert availability(BEFORE, outage_of(["n3"]), facts=facts).valid is UNKNOWN


def test_another_fault_that_was_never_healed_lasts() -> None:
    other = outage(["n2"], 7 * S, None, step=2, said={"pid": 7})
    did = [*went_on(1, 7), *hung(7, 40)]
    assert availability(did, [*outage_of(["n3"], 5, 40), *other]).valid is YES


def test_an_answer_after_the_outage_is_none_in_it() -> None:
    late = append(900, "k", 900, 5.5 * S, 9.5 * S, witness=900)
    assert availability([*BEFORE, late], outage_of(["n3"], 5, 9)).valid is VACUOUS


def test_who_has_given_up_waits_no_longer() -> None:
    given_up = append(900, "k", 900, 5.5 * S, 7.5 * S, type="info")
    assert availability([*BEFORE, given_up], outage_of(["n3"])).valid is VACUOUS


def test_who_led_when_the_fault_was_asked_for_led() -> None:
    did = [*BEFORE, *hung(5, 11), *went_on(11, 20, first=100)]
    late = led(n1=[], n2=[at(5000.5, role("leader", 2))], n3=[at(1, role("leader", 1))])
    assert availability(did, outage_of(["n3"], 5, 20), events=late).valid is YES
    early = led(n1=[], n2=[at(4999.5, role("leader", 2))], n3=[at(1, role("leader", 1))])
    assert availability(did, outage_of(["n3"], 5, 20), events=early).valid is NO


def test_of_two_leaders_the_one_of_the_later_term_leads() -> None:
    did = [*BEFORE, *hung(5, 11), *went_on(11, 20, first=100)]
    events = led(n1=[at(1, role("leader", 1))], n2=[at(2000, role("leader", 2))], n3=[])
    assert availability(did, outage_of(["n1"], 5, 20), events=events).valid is NO
    assert availability(did, outage_of(["n2"], 5, 20), events=events).valid is YES


def test_who_has_booted_leads_no_longer() -> None:
    did = [*BEFORE, *hung(5, 11), *went_on(11, 20, first=100)]
    again = logs(
        n1=[[boot(), term(1), at(1, role("leader", 1))], [at(4000, boot(1))]],
        n2=[[boot(), term(1)]],
        n3=[[boot(), term(1)]],
    )
    assert availability(did, outage_of(["n3"], 5, 20), events=again).valid is YES
    assert availability(did, outage_of(["n3"], 5, 20)).valid is NO


def test_only_commands_that_took_an_index_are_acknowledged() -> None:
    reads = [read(800, "k", [1], 2 * S, 2.1 * S, witness=3), read(801, "k", [1], 5.5 * S, None)]
    assert availability([*BEFORE, *reads], outage_of(["n3"])).valid is VACUOUS
    told = [replace(one, witness=9) for one in hung(5, 12)]
    assert availability([*BEFORE, *told], outage_of(["n3"])).valid is NO
    refused = [replace(one, type="fail", end_ms=one.start_ms + 50, witness=None) for one in hung(5, 12)]
    assert availability([*BEFORE, *refused], outage_of(["n3"])).valid is NO
    assert list(ran(BEFORE, ()).faults()) == []


# Recovery: n1 leads and commits at these times, followed by n2 and n3


def kinds_of(found: History) -> set[str]:
    return {anomaly.kind for anomaly in recovery(found).anomalies}


CUT = fault(1, "partition", ["n1"], 5 * S, 10 * S)


def test_without_word_of_its_start_and_end_a_run_is_unknown() -> None:
    assert recovery(led_to([2 * S], end_ms=20 * S, facts={"phases": {"start": 0}})).valid is UNKNOWN
    assert recovery(led_to([2 * S], end_ms=20 * S, facts={"phases": {"end": 0}})).valid is UNKNOWN
    alone = logs(n1=[[boot(), term(1), at(1, role("leader", 1))]])
    facts = {"nodes": ["n1", "n2", "n3"]}
    found = recovery(led_to([], end_ms=20 * S, events=alone, facts=facts))
    assert found.summary.startswith("no majority of nodes left word")


def test_no_fault_excuses_that_nobody_led_from_the_start() -> None:
    cut = fault(1, "partition", ["n1"], 5 * S, 20 * S)
    assert "after the start" in recovery(led_to([25 * S], cut, end_ms=60 * S)).summary


def test_half_of_four_nodes_cannot_lead() -> None:
    leader = [boot(), term(1), at(1, role("leader", 1))]
    leader += [at(2 * S, committed(1, 1, "leader")), at(26 * S, committed(2, 1, "leader"))]
    follower = [boot(), term(1)]
    events = logs(n1=[leader], n2=[follower], n3=[follower], n4=[follower])
    for struck, expected in ((["n2", "n3"], set()), (["n2"], {"no-leader"})):
        kill = fault(1, "kill", struck, 5 * S, 25 * S)
        assert kinds_of(led_to([], kill, end_ms=50 * S, events=events)) == expected


def test_the_next_fault_excuses_even_if_it_was_never_healed() -> None:
    never = fault(2, "pause", ["n2"], 12 * S, None)
    assert kinds_of(led_to([2 * S], [*CUT, *never], end_ms=60 * S)) == set()
    first = [*fault(2, "pause", ["n2"], 12 * S, 50 * S), *fault(3, "pause", ["n3"], 30 * S, 55 * S)]
    assert kinds_of(led_to([2 * S, 56 * S], [*CUT, *first], end_ms=80 * S)) == set()


def test_a_fault_that_is_over_or_that_came_too_late_excuses_nothing() -> None:
    over = [*fault(2, "pause", ["n2"], 2 * S, 3 * S), *CUT, *fault(3, "pause", ["n3"], 30 * S, 40 * S)]
    late = recovery(led_to([1 * S, 4 * S, 41 * S], over, end_ms=60 * S))
    assert [anomaly.message for anomaly in late.anomalies] == [
        "a leader is still missing after 20.0 s after the heal of partition (step 1); at most 15.0 s"
    ]


def test_a_fault_of_a_node_and_a_worker_strikes_nodes() -> None:
    both = fault(1, "partition", ["n1", "w1"], 5 * S, 10 * S)
    assert kinds_of(led_to([2 * S], both, end_ms=40 * S)) == {"no-leader"}


def test_a_follower_that_learns_of_a_commit_is_no_leader() -> None:
    assert "no-leader" in kinds_of(led_to([2 * S], CUT, end_ms=40 * S, follow_ms=10 * S))


def test_the_first_answer_counts_whoever_asked_first() -> None:
    slow = read(1, "k", [], 11 * S, 40 * S, witness=7)
    quick = read(2, "k", [], 12 * S, 13 * S, witness=7)
    assert kinds_of(led_to([2 * S], CUT, slow, quick, end_ms=60 * S)) == set()


def judged_logs(**boots: Any) -> History:
    """With a leader's sign, and what is applied after the load began."""
    head = [boot(), term(1)]
    sign = [at(1, role("leader", 1)), committed(1, 1, "leader")]
    filled = {
        name: [[*head, *(sign if name == "n1" else []), *first], *rest]
        for name, (first, *rest) in boots.items()
    }
    return led_to([], end_ms=20 * S, events=logs(**filled))


def command(time_ms: float, index: int = 1) -> Event:
    return at(time_ms, applied(index, 1, f"c{index}"))


def test_followers_are_held_against_the_first_leader_that_applied() -> None:
    early = judged_logs(n1=[[command(5400)]], n2=[[command(5000)]], n3=[[command(5600)]])
    assert kinds_of(early) == set()
    two = judged_logs(
        n1=[[command(5000)]], n2=[[at(5100, role("leader", 2)), command(5300)]], n3=[[command(5600)]]
    )
    assert kinds_of(two) == {"slow-follower"}
    booted = judged_logs(
        n1=[[], [at(6000, boot(2)), command(8000)]],
        n2=[[at(7000, role("leader", 2)), command(9000)]],
        n3=[[command(9100)]],
    )
    assert kinds_of(booted) == set()
    again = judged_logs(n1=[[command(5000)]], n2=[[command(5100)], [at(8900, boot(1)), command(9000)]],
                        n3=[[command(5100)]])  # fmt: skip
    assert kinds_of(again) == set()
    one = judged_logs(n1=[[command(5000)]], n2=[[command(5100)]], n3=[[command(5600)]])
    assert recovery(one).evidence["commands_followed"] == 0


def test_calm_is_before_the_first_fault_and_after_recovery_from_the_last() -> None:
    late: dict[str, Any] = {"load_ms": 3 * S, "follow_ms": 900}
    faults = [*fault(1, "partition", ["n1"], 4 * S, 10 * S), *fault(2, "partition", ["n1"], 12 * S, 20 * S)]
    sign = read(1, "k", [], 20.5 * S, 20.6 * S, witness=7)
    assert kinds_of(led_to([2 * S, 11 * S], faults, sign, end_ms=40 * S, **late)) == set()
    phases = {"start": 0, "load": 3 * S * MS, "end": 40 * S * MS, "recovered": 30 * S * MS}
    facts = {"phases": phases}
    assert kinds_of(led_to([2 * S, 22 * S], faults, end_ms=40 * S, facts=facts, **late)) == set()
    assert kinds_of(led_to([2 * S, 22 * S, 31 * S], faults, end_ms=40 * S, facts=facts, **late)) == {
        "slow-follower"
    }
    assert kinds_of(led_to([2.9 * S, 3.2 * S], end_ms=20 * S, **late)) == set()


# Workers, asked for every second


def seen(
    offline_s: Sequence[tuple[float, float]], faults: Sequence[Any], *, every_s: int = 1, **more: Any
) -> Verdict:
    found = watched([(int(a * S), int(b * S)) for a, b in offline_s], faults, **more)
    return workers(replace(found, worker_states=found.worker_states[::every_s]))


def test_a_stop_that_did_not_take_effect_need_not_be_noticed() -> None:
    assert seen([], fault(1, "workers", ["w1"], 10 * S, 40 * S, took_effect=False)).valid is YES


def test_who_is_stopped_again_need_not_have_come_back() -> None:
    twice = [*fault(1, "workers", ["w1"], 10 * S, 40 * S), *fault(2, "workers", ["w1"], 45 * S, 80 * S)]
    verdict = seen([(26, 85)], twice)
    assert verdict.valid is YES
    assert (verdict.evidence["slowest_offline_s"], verdict.evidence["slowest_online_s"]) == (16.0, 5.0)


def test_who_is_unknown_to_the_leader_is_not_online() -> None:
    found = watched([], STOP)
    states = [
        {**state, "workers": {"w2": "online"}} if 26 * S * MS <= state["time_ns"] < 45 * S * MS else state
        for state in found.worker_states
    ]
    assert workers(replace(found, worker_states=states)).valid is YES


def test_between_two_answers_it_may_have_happened_at_any_time() -> None:
    assert seen([(31, 45)], STOP, every_s=11).valid is YES


def test_what_a_slow_host_hid_is_not_the_slowest() -> None:
    stop = fault(1, "workers", ["w1"], 10 * S, 70 * S)
    verdict = seen([(56, 72)], stop, lag=[(40 * S * MS, 25 * S * MS)])
    assert (verdict.valid, verdict.evidence["slowest_offline_s"]) == (UNKNOWN, 0.0)
    assert len(verdict.evidence["reasons"]) == 1

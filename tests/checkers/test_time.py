"""What must happen within a bound in time, and whether the run could have failed. Times are in
milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from checkers import CHECKERS
from checkers.history import History
from checkers.host import Met, judge, lag_within
from checkers.verdict import Validity, Verdict
from tests.checkers.build import (
    MS,
    Did,
    Event,
    append,
    applied,
    at,
    boot,
    committed,
    fault,
    history,
    logs,
    ops,
    read,
    role,
    term,
)

S = 1000  # a second


def kinds(verdict: Verdict) -> list[str]:
    return [anomaly.kind for anomaly in verdict.anomalies]


# The host's lag


def test_lag_counts_as_far_as_it_lies_in_the_window() -> None:
    lag = [(10 * MS, 4 * MS), (30 * MS, 20 * MS), (90 * MS, 5 * MS)]
    assert lag_within(lag, 8 * MS, 25 * MS) == (2 + 15) * MS
    assert lag_within(lag, 40 * MS, 80 * MS) == 0


def test_lag_that_two_sources_measured_counts_once() -> None:
    lag = [(30 * MS, 20 * MS), (25 * MS, 5 * MS), (40 * MS, 20 * MS), (31 * MS, 3 * MS), (60 * MS, 5 * MS)]
    assert lag_within(lag, 0, 100 * MS) == (30 + 5) * MS
    assert lag_within(list(reversed(lag)), 15 * MS, 35 * MS) == 20 * MS


def test_a_bound_is_extended_by_lag_but_at_most_doubled_and_beyond_that_nobody_can_say() -> None:
    bound = 100 * MS

    def met(took_ms: int, lag_ms: int) -> Met:
        return judge([(lag_ms * MS, lag_ms * MS)], 0, took_ms * MS, bound)

    assert met(100, 0) is Met.IN_TIME
    assert met(101, 0) is Met.LATE
    assert met(150, 50) is Met.IN_TIME
    assert met(151, 50) is Met.LATE
    assert met(200, 150) is Met.IN_TIME
    assert met(200, 100) is Met.IN_TIME
    assert met(201, 100) is Met.LATE
    assert met(201, 101) is Met.HOST_TOO_SLOW
    assert met(230, 150) is Met.HOST_TOO_SLOW
    assert met(900, 150) is Met.HOST_TOO_SLOW


def test_lag_after_twice_the_bound_excuses_nothing() -> None:
    assert judge([(3000, 2400)], 0, 3000, 500) is Met.LATE
    assert judge([(1000, 900)], 0, 3000, 500) is Met.HOST_TOO_SLOW


# Recovery: n1 leads and commits at these times, followed by n2 and n3 after some milliseconds


def ran(
    commits_ms: Sequence[float],
    faults: Sequence[Any] = (),
    *did: Did,
    end_ms: float,
    load_ms: float = 1 * S,
    follow_ms: float = 30,
    **more: Any,
) -> History:
    led: list[Event] = [boot(), term(1), at(1, role("leader", 1))]
    followed: list[Event] = [boot(), term(1)]
    for index, time_ms in enumerate(commits_ms, 1):
        led += [at(time_ms, committed(index, 1, "leader")), applied(index, 1, f"c{index}")]
        followed += [at(time_ms + follow_ms, committed(index, 1)), applied(index, 1, f"c{index}")]
    phases = {"start": 0, "load": int(load_ms * MS), "end": int(end_ms * MS)}
    if faults:
        phases["recovered"] = max(op.time_ns for op in faults)
    events = more.pop("events", None) or logs(n1=[led], n2=[followed], n3=[followed])
    facts = {"phases": phases, "workers": ["w1"]} | more.pop("facts", {})
    return history(ops(*did, faults=faults), events, facts=facts, **more)


def recovery(found: History) -> Verdict:
    return CHECKERS["recovery"](found)


def test_a_leader_soon_after_the_start() -> None:
    verdict = recovery(ran([2 * S], end_ms=20 * S))
    assert verdict.valid is Validity.YES
    assert verdict.evidence["slowest_leader_ms"] == 2000.0
    assert kinds(recovery(ran([16 * S], end_ms=20 * S))) == ["no-leader"]
    assert recovery(ran([], end_ms=14 * S)).valid is Validity.UNKNOWN  # it ended before the bound did


def test_a_leader_soon_after_the_last_heal() -> None:
    cut = fault(1, "partition", ["n1"], 5 * S, 10 * S)
    assert recovery(ran([2 * S, 12 * S], cut, end_ms=40 * S)).valid is Validity.YES
    verdict = recovery(ran([2 * S, 26 * S], cut, end_ms=40 * S))
    assert kinds(verdict) == ["no-leader"]
    assert "a leader took 16.0 s after the heal of partition (step 1); at most 15.0 s" in verdict.summary
    assert "is still missing after 30.0 s" in recovery(ran([2 * S], cut, end_ms=40 * S + 1)).summary


def test_an_answer_to_a_client_shows_a_leader_too() -> None:
    cut = fault(1, "partition", ["n1"], 5 * S, 10 * S)
    final = read(1, "k", [], 11 * S, 12 * S, witness=7)
    assert recovery(ran([2 * S], cut, final, end_ms=40 * S)).valid is Validity.YES
    of_a_worker = read(1, "o", None, 11 * S, 12 * S)  # which needs no leader, and names no log index
    assert recovery(ran([2 * S], cut, of_a_worker, end_ms=40 * S)).valid is Validity.NO
    before = read(
        1, "k", [], 9 * S, 12 * S, witness=7
    )  # invoked before the heal: may have been answered before, too
    assert recovery(ran([2 * S], cut, before, end_ms=40 * S)).valid is Validity.NO


def test_a_leader_soon_after_a_kill_that_leaves_a_majority() -> None:
    kill = fault(1, "kill", ["n1"], 5 * S, 25 * S)
    verdict = recovery(ran([2 * S, 21 * S, 26 * S], kill, end_ms=50 * S))
    assert kinds(verdict) == ["no-leader"]
    assert "after the kill of n1 (step 1)" in verdict.summary
    assert recovery(ran([2 * S, 7 * S, 26 * S], kill, end_ms=50 * S)).valid is Validity.YES
    majority = fault(1, "kill", ["n1", "n2"], 5 * S, 25 * S)
    assert recovery(ran([2 * S, 26 * S], majority, end_ms=50 * S)).valid is Validity.YES


def test_a_moment_that_the_next_fault_overtakes_proves_nothing() -> None:
    faults = [*fault(1, "partition", ["n1"], 5 * S, 10 * S), *fault(2, "pause", ["n2"], 12 * S, 40 * S)]
    verdict = recovery(ran([2 * S, 41 * S], faults, end_ms=60 * S))
    assert verdict.valid is Validity.YES
    assert verdict.evidence["moments_overtaken"] == 1
    late = [*fault(1, "partition", ["n1"], 5 * S, 10 * S), *fault(2, "pause", ["n2"], 26 * S, 40 * S)]
    assert kinds(recovery(ran([2 * S, 41 * S], late, end_ms=60 * S))) == ["no-leader"]


@pytest.mark.parametrize("struck", ["w1", "minio"])
def test_a_fault_that_no_node_notices_is_no_excuse_and_no_moment(struck: str) -> None:
    stop = fault(1, "some fault", [struck], 5 * S, 10 * S)
    verdict = recovery(ran([2 * S], stop, end_ms=60 * S))
    assert verdict.valid is Validity.YES
    assert verdict.evidence["moments_judged"] == 1


def test_a_host_that_stood_still_makes_recovery_unknown_alone() -> None:
    cut = fault(1, "partition", ["n1"], 5 * S, 10 * S)
    slow = ran([2 * S, 45 * S], cut, end_ms=60 * S, lag=[(40 * S * MS, 25 * S * MS)])
    verdict = recovery(slow)
    assert verdict.valid is Validity.UNKNOWN
    assert verdict.summary.startswith("host too slow")
    assert verdict.evidence["host_too_slow"] is True
    starts = {"n1": 2, "n2": 1, "n3": 1}
    gap = ran([2 * S, 45 * S], cut, end_ms=60 * S, lag=slow.lag, facts={"starts": starts})
    assert recovery(gap).valid is Validity.UNKNOWN
    assert recovery(gap).evidence["host_too_slow"] is False  # the host is not all that is amiss
    assert recovery(ran([2 * S], end_ms=20 * S)).evidence["host_too_slow"] is False
    extended = ran([2 * S, 35 * S], cut, end_ms=60 * S, lag=[(30 * S * MS, 15 * S * MS)])
    assert recovery(extended).valid is Validity.YES


def test_in_calm_followers_soon_apply_what_the_leader_did() -> None:
    assert recovery(ran([2 * S, 5 * S], end_ms=20 * S)).evidence["commands_followed"] == 2
    verdict = recovery(ran([2 * S, 5 * S], end_ms=20 * S, follow_ms=501))
    assert kinds(verdict) == ["slow-follower"] * 4  # two commands, two followers
    assert (
        "n1 (boot 1, event 4) led and applied index 1 in calm, but n2 applied it 501 ms later"
        in verdict.summary
    )
    assert (
        recovery(ran([2 * S, 5 * S], end_ms=20 * S, follow_ms=300)).evidence["slowest_follower_ms"] == 300.0
    )


def test_a_follower_that_never_applies_is_found() -> None:
    whole = ran([2 * S, 5 * S], end_ms=20 * S)
    events = dict(whole.events) | {"n3": [whole.events["n3"][0][:-2]]}
    assert "but n3 applied it never" in recovery(ran([2 * S, 5 * S], end_ms=20 * S, events=events)).summary


def test_under_a_fault_followers_may_lag() -> None:
    cut = fault(1, "partition", ["n3"], 4 * S, 10 * S)
    found = ran([2 * S, 5 * S, 9.8 * S, 19.8 * S], cut, end_ms=20 * S, load_ms=3 * S, follow_ms=900)
    assert recovery(found).valid is Validity.VACUOUS  # no slow follower


def test_followers_that_nothing_was_applied_for_in_calm_prove_nothing() -> None:
    verdict = recovery(ran([2 * S], end_ms=20 * S, load_ms=3 * S))
    assert verdict.valid is Validity.VACUOUS
    assert verdict.summary.startswith("no command was applied in calm")


def test_a_single_node_has_no_followers() -> None:
    led = [boot(), term(1), role("leader", 1), at(2 * S, committed(1, 1, "leader")), applied(1, 1, "c1")]
    verdict = recovery(ran([], end_ms=20 * S, events=logs(n1=[led])))
    assert verdict.valid is Validity.YES
    assert verdict.summary == "a leader within 2.0 s of each of 1 moments that call for one"


def test_over_a_gap_nobody_is_accused() -> None:
    cut = fault(1, "partition", ["n1"], 5 * S, 10 * S)
    for found in (ran([2 * S], cut, end_ms=40 * S), ran([2 * S, 5 * S], end_ms=20 * S, follow_ms=900)):
        assert recovery(found).valid is Validity.NO
        assert recovery(replace(found, facts=found.facts | {"events": None})).valid is Validity.UNKNOWN


def test_over_what_was_not_healed_nobody_is_accused() -> None:
    cut = fault(1, "partition", ["n1"], 5 * S, 10 * S)
    left = {"still_harmed": ["n1->n2 is still harmed: cut"]}
    for found in (ran([2 * S], cut, end_ms=40 * S), ran([2 * S, 5 * S], end_ms=20 * S, follow_ms=900)):
        assert recovery(found).valid is Validity.NO
        verdict = recovery(replace(found, facts=found.facts | left))
        assert verdict.valid is Validity.UNKNOWN
        assert verdict.summary == "n1->n2 is still harmed: cut, though every fault was healed"


def test_there_is_no_calm_after_a_fault_that_was_never_healed() -> None:
    faults = [*fault(1, "partition", ["n3"], 4 * S, 10 * S), *fault(2, "latency", ["n3"], 11 * S, None)]
    verdict = recovery(ran([2 * S, 15 * S], faults, end_ms=40 * S, load_ms=3 * S, follow_ms=900))
    assert (verdict.valid, verdict.evidence["commands_followed"]) == (Validity.VACUOUS, 0)


def test_what_starting_the_processes_takes_is_not_recovery() -> None:
    slow = [at(20 * S, boot()), term(1), at(25 * S, role("leader", 1)), committed(1, 1, "leader")]
    slow.append(applied(1, 1, "c1"))
    fast = [boot(), term(1), at(25 * S, committed(1, 1)), applied(1, 1, "c1")]
    assert recovery(ran([], end_ms=60 * S, events=logs(n1=[slow], n2=[fast]))).valid is Validity.YES
    assert recovery(ran([], end_ms=60 * S, events=logs(n1=[slow], n2=[fast], n3=[fast]))).valid is Validity.NO


def test_what_was_applied_right_before_the_end_is_not_judged() -> None:
    found = ran([2 * S, 19.8 * S], end_ms=20 * S, load_ms=3 * S, follow_ms=900)
    assert recovery(found).valid is Validity.VACUOUS  # no slow follower


def test_a_run_without_its_phases_is_unknown() -> None:
    assert recovery(history()).valid is Validity.UNKNOWN


# Workers: asked for every second


def watched(
    offline_ms: Sequence[tuple[int, int]], faults: Sequence[Any] = (), *, until_s: int = 90, **more: Any
) -> History:
    """w1 is said to be offline in these windows; w2 is always online."""
    states = []
    for now in range(0, until_s * S, S):
        off = any(start <= now < end for start, end in offline_ms)
        states.append(
            {
                "time_ns": now * MS,
                "node": "n1",
                "workers": {"w1": "offline" if off else "online", "w2": "online"},
            }
        )
    return history(ops(faults=faults), facts={"workers": ["w1", "w2"]}, worker_states=states, **more)


def workers(found: History) -> Verdict:
    return CHECKERS["workers"](found)


STOP = fault(1, "workers", ["w1"], 10 * S, 40 * S)


def test_a_stopped_worker_is_noticed_and_comes_back() -> None:
    verdict = workers(watched([(26 * S, 45 * S)], STOP))
    assert verdict.valid is Validity.YES
    assert verdict.evidence["slowest_offline_s"] == 16.0
    assert verdict.evidence["slowest_online_s"] == 5.0


def test_no_stop_is_fine_where_all_are_online_at_the_end() -> None:
    assert workers(watched([])).valid is Validity.YES
    assert workers(watched([(3 * S, 8 * S)])).valid is Validity.YES


@pytest.mark.parametrize(
    ("offline", "kind"),
    [
        ([(32 * S, 45 * S)], "slow-to-notice"),
        ([], "slow-to-notice"),
        ([(26 * S, 63 * S)], "slow-to-come-back"),
    ],
)
def test_a_bound_missed_is_found(offline: list[tuple[int, int]], kind: str) -> None:
    assert kinds(workers(watched(offline, STOP))) == [kind]


def test_a_worker_that_never_comes_back_is_found() -> None:
    assert kinds(workers(watched([(26 * S, 999 * S)], STOP))) == ["slow-to-come-back", "not-online-at-end"]


def test_a_stop_shorter_than_the_bound_need_not_be_noticed() -> None:
    assert workers(watched([], fault(1, "workers", ["w1"], 10 * S, 20 * S))).valid is Validity.YES


def test_a_worker_missing_only_lately_is_unknown() -> None:
    """A leader elected just now has not heard of it yet."""
    assert workers(watched([(86 * S, 99 * S)])).valid is Validity.UNKNOWN


def test_a_worker_freed_only_lately_is_unknown() -> None:
    stop = fault(1, "workers", ["w1"], 10 * S, 75 * S)
    assert workers(watched([(26 * S, 99 * S)], stop)).valid is Validity.UNKNOWN


def test_a_worker_that_is_gone_at_the_end_is_found_without_any_fault() -> None:
    assert kinds(workers(watched([(50 * S, 99 * S)]))) == ["not-online-at-end"]


def test_a_worker_that_is_still_harmed_is_not_accused() -> None:
    found = watched([(50 * S, 99 * S)])
    found.facts["still_harmed"] = ["w1 is stopped"]
    verdict = workers(found)
    assert verdict.valid is Validity.UNKNOWN and "w1 is stopped, though" in verdict.summary


def test_workers_that_nobody_asked_for_are_unknown() -> None:
    assert workers(history(facts={"workers": ["w1"]})).valid is Validity.UNKNOWN
    late = watched([], until_s=20)
    late.facts["phases"] = {"end": 30 * S * MS}
    assert workers(late).valid is Validity.UNKNOWN
    assert workers(history()).valid is Validity.VACUOUS


def test_a_stop_without_an_observation_in_time_is_unknown() -> None:
    never_healed = fault(1, "workers", ["w1"], 80 * S, None)
    assert workers(watched([], never_healed)).valid is Validity.UNKNOWN


def test_lag_excuses_workers_only_so_far() -> None:
    late = [(34 * S, 45 * S)]
    assert workers(watched(late, STOP, lag=[(20 * S * MS, 5 * S * MS)])).valid is Validity.YES


# Coverage


def covered(*did: Did, faults: Sequence[Any] = (), **facts: Any) -> Verdict:
    return CHECKERS["coverage"](history(ops(*did, faults=faults), facts=facts))


MANY = [append(1, "k", i, 10 * i, 10 * i + 5) for i in range(20)] + [read(2, "k", [], 0, 300)]


def test_enough_operations_and_faults_that_took_effect() -> None:
    verdict = covered(*MANY, faults=fault(1, "kill", ["n1"], 50, 100), nemeses=["kill"])
    assert verdict.valid is Validity.YES
    assert verdict.evidence == {
        "invoked": {"append": 20, "read": 1},
        "ok": {"append": 20, "read": 1},
        "faults": {"kill": 1},
    }
    assert covered(*MANY, nemeses=["none"]).valid is Validity.YES


@pytest.mark.parametrize(
    ("did", "faults", "reason"),
    [
        (MANY[:19], [], "only 19 operations succeeded; expected at least 20"),
        (
            [*MANY, append(9, "k", 99, 5, 6, type="info")][:-1],
            fault(1, "pause", ["n1"], 50, 60),
            "kill was planned",
        ),
        (MANY, fault(1, "kill", [], 50, 100, took_effect=False), "kill one (step 1) shows no proof"),
        (MANY, fault(1, "kill", ["n1"], 500, 600), "no operation was under way during any kill"),
    ],
)
def test_a_run_that_could_not_have_failed_is_vacuous(did: list[Did], faults: list[Any], reason: str) -> None:
    verdict = covered(*did, faults=faults, nemeses=["kill"] if faults else [])
    assert verdict.valid is Validity.VACUOUS
    assert reason in verdict.evidence["reasons"][0]


def test_a_kind_of_operation_that_never_succeeded_is_vacuous() -> None:
    verdict = covered(*MANY, Did(3, "cas", ["k", [1, 2]], 1, 2, "fail"))
    assert verdict.valid is Validity.VACUOUS
    assert verdict.summary == "none of 1 cas operations succeeded"


def test_a_fault_that_was_never_healed_is_unknown() -> None:
    verdict = covered(*MANY, faults=fault(1, "kill", ["n1"], 50, None))
    assert verdict.valid is Validity.UNKNOWN
    assert "kill one of n1 (step 1) was never healed" in verdict.summary


def test_final_reads_without_an_answer_are_unknown() -> None:
    verdict = covered(*MANY, final_reads={"wanted": 5, "answered": 4})
    assert verdict.valid is Validity.UNKNOWN
    assert verdict.summary == "only 4 of 5 final reads were answered"
    assert covered(*MANY, final_reads={"wanted": 5, "answered": 5}).valid is Validity.YES


def test_a_heal_that_failed_is_no_heal() -> None:
    faults = fault(1, "kill", ["n1"], 50, 60)
    faults[-1] = replace(faults[-1], error="heal failed: the supervisor is gone")
    verdict = covered(*MANY, faults=faults)
    assert verdict.valid is Validity.UNKNOWN
    assert "kill one of n1 (step 1) was never healed" in verdict.summary

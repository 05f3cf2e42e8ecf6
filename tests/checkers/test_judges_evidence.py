"""What a run left to be judged: how it is paired, put into words, held against bounds, and concluded from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checkers.answers import answers, worker_states
from checkers.coverage import OK_OPERATIONS, coverage
from checkers.events import gaps, load_events, nodes, timeline
from checkers.exits import exits
from checkers.history import Call, History, HistoryError, Op
from checkers.host import TOO_SLOW, Met, judge, lag_within, only_too_slow
from checkers.node_log import NodeLog
from checkers.verdict import ANOMALIES_NAMED, Anomaly, Validity, Verdict, conclude, worst
from checkers.words import asker, count, listed, name_call, name_entry, name_event, seconds, shown
from tests.checkers.build import (
    MS,
    Did,
    answer,
    appended,
    applied,
    boot,
    committed,
    digest,
    fault,
    history,
    logs,
    ops,
    read,
    truncated,
    write,
)

YES, NO, UNKNOWN, VACUOUS = Validity.YES, Validity.NO, Validity.UNKNOWN, Validity.VACUOUS


def verdict(validity: Validity) -> Verdict:
    return Verdict("test", validity, "", (Anomaly("odd", ""),) if validity is NO else ())


def test_the_worst_of_several_verdicts() -> None:
    ranked = [YES, VACUOUS, UNKNOWN, NO]
    for better, one in enumerate(ranked):
        assert worst(map(verdict, ranked[: better + 1])) is one
        assert worst([verdict(one), verdict(YES)]) is one
    assert worst([]) is UNKNOWN


def test_a_no_has_anomalies_and_nothing_else_has() -> None:
    for validity in (YES, UNKNOWN, VACUOUS):
        with pytest.raises(ValueError, match="anomalies exactly when"):
            Verdict("test", validity, "", (Anomaly("odd", ""),))
    with pytest.raises(ValueError, match="anomalies exactly when"):
        Verdict("test", NO, "")


def test_the_worst_that_the_arguments_allow() -> None:
    odd = [Anomaly("odd", f"number {at}") for at in range(ANOMALIES_NAMED + 1)]
    no = conclude("test", "fine", anomalies=odd, unknown=["a"], vacuous=["b"])
    assert (no.valid, no.summary) == (NO, f"odd: number 0 ({ANOMALIES_NAMED} more)")
    assert list(no.anomalies) == odd[:-1] and no.evidence == {"anomalies": {"odd": len(odd)}}
    assert conclude("test", "fine", anomalies=odd[:1]).summary == "odd: number 0"
    unknown = conclude("test", "fine", unknown=["a", "c"], vacuous=["b"], evidence={"n": 1})
    assert (unknown.valid, unknown.summary) == (UNKNOWN, "a (and 1 more)")
    assert unknown.evidence == {"n": 1, "reasons": ["a", "c"]}
    vacuous = conclude("test", "fine", vacuous=["b"])
    assert (vacuous.valid, vacuous.summary, vacuous.evidence) == (VACUOUS, "b", {"reasons": ["b"]})
    assert (conclude("test", "fine").valid, conclude("test", "fine").summary) == (YES, "fine")


def call(f: str, value: Any, done: Op | None = None) -> Call:
    return Call(Op(3, 0, 7, "invoke", f, value, "n1"), done)


def test_evidence_is_put_into_words() -> None:
    assert name_call(call("append", ["k2", 85])) == "append 3 of 85 to k2"
    assert name_call(call("read", ["k2", None], Op(9, 1, 7, "ok", "read", ["k2", [1]]))) == "read 3 of k2"
    assert name_call(call("cas", ["k2", [None, 4]])) == "cas 3 of k2 from nil to 4"
    assert name_call(call("noop", None)) == "noop 3"
    assert asker(call("read", None)) == "process 7, at n1"
    assert asker(call("read", None, Op(4, 1, 7, "ok", "read", None, "n2"))) == "process 7, at n2"
    assert asker(call("read", None, Op(4, 1, 7, "ok", "read", None))) == "process 7"
    assert name_event({"node": "n1", "boot": 2, "seq": 41}) == "n1 (boot 2, event 41)"
    assert name_entry({"kind": "command", "command": "{}", "term": 3}) == "command {} of term 3"
    assert name_entry({"kind": "noop", "command": "", "term": 3}) == "noop of term 3"
    assert [count(many, "term") for many in (0, 1, 1200)] == ["0 terms", "1 term", "1,200 terms"]
    assert (shown(None), shown(0), seconds(1_250_000_000)) == ("nil", "0", "1.2 s")
    assert [listed(some) for some in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_what_was_never_completed_may_have_happened() -> None:
    late, early = Op(0, 5, 1, "invoke", "write", 1), Op(1, 4, 2, "invoke", "write", 2)
    found = list(History([late, early, Op(2, 6, 1, "ok", "write", 1)]).calls())
    assert [(one.invoke.index, one.type) for one in found] == [(1, "info"), (0, "ok")]


def test_at_one_time_invocations_come_first_and_then_what_was_recorded_first() -> None:
    at_once = [Op(at, 5, at, "invoke", "read", None) for at in range(3)]
    assert [one.invoke.index for one in History(at_once[::-1]).calls()] == [0, 1, 2]


def refusal(*recorded: Op) -> str:
    with pytest.raises(HistoryError) as refused:
        list(History(recorded).calls())
    return str(refused.value)


def test_a_process_does_one_thing_after_the_other() -> None:
    begun, done = Op(0, 1, 0, "invoke", "a", 1), Op(1, 2, 0, "ok", "a", 1)
    assert refusal(begun, done, Op(2, 3, 0, "ok", "a", 1)).endswith("without having invoked it")
    assert refusal(begun, Op(1, 2, 0, "what", "a", 1)).startswith("op 1: type 'what'")  # type: ignore[arg-type]
    assert refusal(begun, Op(1, 2, 0, "ok", "b", 1)) == "op 1: completes b, but op 0 invoked a"
    assert refusal(begun, Op(1, 0, 0, "ok", "a", 1)).startswith("op 1: ends before op 0 began")
    assert len(list(History([begun, Op(1, 1, 0, "ok", "a", 1)]).calls())) == 1
    again = Op(2, 3, 0, "invoke", "a", 2)
    assert len(list(History([begun, Op(1, 2, 0, "fail", "a", 1), again]).calls())) == 2
    assert refusal(begun, Op(1, 2, 0, "info", "a", 1), again).startswith(
        "op 2: process 0 went on after the info"
    )


def nemesis(index: int, kind: Any, action: str, step: int = 1, time_ns: int | None = None, **said: Any) -> Op:
    error = said.pop("error", None)
    value = {"step": step, "action": action, **said}
    at_ns = 10 * index if time_ns is None else time_ns
    return Op(index, at_ns, "nemesis", kind, "kill", value, error=error)


def test_a_fault_has_four_moments_and_the_heal_has_the_last_word() -> None:
    said: dict[str, Any] = {"took_effect": False, "evidence": {"a": 1}, "summary": "first", "nodes": ["n1"]}
    recorded = [
        nemesis(0, "invoke", "inject", target="one"),
        nemesis(1, "info", "inject", **said),
        nemesis(2, "invoke", "heal"),
        nemesis(3, "info", "heal", took_effect=True, evidence={"b": 2}, summary="last", nodes=["n2"]),
        nemesis(4, "invoke", "inject", step=0, time_ns=35),
        nemesis(5, "info", "inject", step=0, time_ns=36, took_effect=1),
        nemesis(6, "invoke", "inject", step=2, time_ns=-1),
    ]
    never, fault_, unproven = History(recorded).faults()
    assert (fault_.inject_ns, fault_.injected_ns, fault_.heal_ns, fault_.healed_ns) == (0, 10, 20, 30)
    assert (fault_.nodes, fault_.took_effect, fault_.target) == (("n1",), True, "one")
    assert (fault_.evidence, fault_.summary) == ({"b": 2}, "last")
    assert (unproven.step, unproven.injected_ns, unproven.heal_ns, unproven.took_effect) == (
        0,
        36,
        None,
        False,
    )
    assert (never.step, never.injected_ns, never.healed_ns, never.took_effect) == (2, -1, None, False)


@pytest.mark.parametrize(
    ("hit", "freed", "error", "healed"),
    [
        (["n1"], ["n1"], None, True),
        (["n1"], [], None, False),
        (["n1"], ["n1"], "no such node", False),
        ([], [], None, True),
    ],
)
def test_a_heal_that_failed_or_freed_nobody_healed_nothing(
    hit: list[str], freed: list[str], error: str | None, healed: bool
) -> None:
    (found,) = History([
        nemesis(0, "invoke", "inject"),
        nemesis(1, "info", "inject", nodes=hit),
        nemesis(2, "invoke", "heal"),
        nemesis(3, "info", "heal", nodes=freed, error=error),
    ]).faults()  # fmt: skip
    assert (found.heal_ns, found.healed_ns) == (20, 30 if healed else None)


def test_a_heal_speaks_even_of_what_was_never_done() -> None:
    (found,) = History([
        nemesis(0, "invoke", "inject"), nemesis(1, "invoke", "heal"), nemesis(2, "info", "heal",
        took_effect=True)
    ]).faults()  # fmt: skip
    assert not found.took_effect and found.healed_ns == 20


SECOND = 1000


@pytest.mark.parametrize(
    ("took", "lag", "met"),
    [
        (100, [], Met.IN_TIME),
        (101, [], Met.LATE),
        (150, [(60, 50)], Met.IN_TIME),
        (151, [(60, 50)], Met.LATE),
        (200, [(150, 100)], Met.IN_TIME),
        (201, [(150, 100)], Met.LATE),
        (201, [(150, 101)], Met.HOST_TOO_SLOW),
        (200, [(190, 150)], Met.IN_TIME),
        (300, [(300, 150)], Met.LATE),
        (300, [(150, 110), (160, 110)], Met.HOST_TOO_SLOW),
        (300, [(60, 50), (60, 50), (60, 50)], Met.LATE),
    ],
)
def test_a_bound_is_met_as_far_as_the_host_allows(took: int, lag: list[tuple[int, int]], met: Met) -> None:
    shifted = [(at + SECOND, late) for at, late in lag]
    assert judge(shifted, SECOND, SECOND + took, 100) is met


def test_lag_counts_within_its_window_and_once() -> None:
    assert lag_within([(50, 40)], 20, 100) == 30
    assert lag_within([(150, 100)], 0, 100) == 50
    assert lag_within([(50, 20), (60, 20)], 0, 100) == 30
    assert lag_within([(10, 5), (200, 5)], 20, 100) == 0


def test_only_the_host_is_to_blame_where_nothing_else_is() -> None:
    assert only_too_slow([f"{TOO_SLOW}: a", f"{TOO_SLOW}: b"])
    assert not only_too_slow([f"{TOO_SLOW}: a", "b"])
    assert not only_too_slow([])


def test_exits_are_told_all_of_them() -> None:
    ended = [{"node": name, "code": 1, "time_ns": 5} for name in ("n1", "n2")]
    starts = {"n1": 2, "n2": 1}
    found = exits(History(facts={"exits": ended, "starts": starts}))
    assert [anomaly.message[:2] for anomaly in found.anomalies] == ["n1", "n2"]
    fine = exits(History(facts={"exits": [], "starts": starts}))
    assert (fine.valid, fine.summary) == (YES, "3 processes were started; none ended unasked")
    assert exits(History(facts={"starts": starts})).valid is UNKNOWN
    assert exits(History(facts={"exits": []})).valid is VACUOUS


def run(count: int, *more: Did, faults: list[Op] | None = None, **facts: Any) -> Verdict:
    many = [write(0, "k", at, 10 * at, 10 * at + 5) for at in range(count)]
    return coverage(history(ops(*many, *more, faults=faults or []), facts=facts))


def test_twenty_operations_are_enough() -> None:
    assert run(OK_OPERATIONS).valid is YES
    assert "only 19 operations succeeded" in run(OK_OPERATIONS - 1).summary
    for kind in ("fail", "info"):
        verdict = run(OK_OPERATIONS - 1, write(1, "k", 9, 0, 5, type=kind))
        assert "only 19 operations succeeded" in verdict.summary
        assert (
            run(OK_OPERATIONS, read(1, "k", None, 0, 5, type=kind)).summary
            == "none of 1 read operations succeeded"
        )
    assert run(OK_OPERATIONS, write(1, "k", 9, 0, 5, type="fail")).valid is YES


def test_every_planned_nemesis_struck_while_something_was_under_way() -> None:
    kill, pause = fault(1, "kill", ["n1"], 20, 30), fault(2, "pause", ["n1"], 40, 50)
    assert run(OK_OPERATIONS, faults=kill + pause, nemeses=["kill", "pause", "none"]).valid is YES
    assert (
        run(OK_OPERATIONS, faults=kill, nemeses=["kill", "pause"]).summary
        == "pause was planned, but never struck"
    )
    late = fault(3, "kill", ["n1"], 1000, 1010)
    assert run(OK_OPERATIONS, faults=kill + late).valid is YES
    assert run(OK_OPERATIONS, faults=kill + fault(3, "pause", ["n1"], 1000, 1010)).summary == (
        "no operation was under way during any pause"
    )
    unproven = fault(1, "kill", ["n1"], 20, 30, took_effect=False)
    assert run(OK_OPERATIONS, faults=unproven).summary == (
        "kill one of n1 (step 1) shows no proof that it took effect: heal"
    )
    assert "kill one of n1 (step 1) was never healed" in run(OK_OPERATIONS, faults=kill[:2]).summary
    assert "was never healed" in run(OK_OPERATIONS, faults=kill[:3]).summary


@pytest.mark.parametrize(
    ("start", "end", "valid"),
    [
        (310, 400, YES),  # as the heal is asked for
        (311, 400, VACUOUS),
        (210, 301, YES),  # as it has just taken effect
        (210, 300.5, VACUOUS),  # while it is being injected
        (210, None, YES),
        (311, None, VACUOUS),
    ],
)
def test_who_is_under_way_during_a_fault(start: float, end: float | None, valid: Validity) -> None:
    one = write(1, "k", 9, start, end)
    assert run(OK_OPERATIONS, one, faults=fault(1, "kill", ["n1"], 300, 310)).valid is valid


def test_what_began_under_a_fault_that_was_never_healed_is_under_it() -> None:
    reasons = run(OK_OPERATIONS, faults=fault(1, "kill", ["n1"], 100, None)).evidence["reasons"]
    assert len(reasons) == 1 and "never healed" in reasons[0]
    late = [write(0, "k", at, 500 + 10 * at, 505 + 10 * at) for at in range(OK_OPERATIONS)]
    found = coverage(history(ops(*late, faults=fault(1, "kill", ["n1"], 100, None))))
    assert len(found.evidence["reasons"]) == 1
    assert found.valid is UNKNOWN


def test_final_reads_are_answered_all_of_them() -> None:
    assert run(OK_OPERATIONS, final_reads={"answered": 3, "wanted": 3}).valid is YES
    said = run(OK_OPERATIONS, final_reads={"answered": 2, "wanted": 3})
    assert (said.valid, said.summary) == (UNKNOWN, "only 2 of 3 final reads were answered")


def test_what_was_not_healed_is_told() -> None:
    said = run(OK_OPERATIONS, still_harmed=["n1 is stopped"])
    assert (said.valid, said.summary) == (UNKNOWN, "n1 is stopped, though every fault was healed")
    assert run(OK_OPERATIONS, still_harmed=[]).valid is YES


def gone(events: dict[str, list[list[dict[str, Any]]]], /, **facts: Any) -> list[str]:
    return gaps(history([], events, facts=facts))


def test_gaps_in_event_logs_are_counted_from_both_sides() -> None:
    events = logs(n1=[[boot(), applied(1, 1, "a")], [boot(last_index=1)]])
    assert gone(events) == []
    counts = {"n1": [2, 1]}
    assert gone(events, starts={"n1": 3}, events=counts) == ["n1 was started 3 times and left 2 event logs"]
    assert gone(events, starts={"n1": 1}, events=counts) == ["n1 was started 1 times and left 2 event logs"]
    assert gone(events, events={"n1": [2]}) == ["n1 has 2 event logs, but the run collected 1"]
    assert gone(events, events={"n1": [2, 1, 1]}) == ["n1 has 2 event logs, but the run collected 3"]
    assert gone(events, events={"n1": [3, 1]}) == ["n1's event log of boot 1 ends after 2 of 3 events"]
    assert gone(events, events={"n1": [1, 1]}) == []
    assert "how often each node was started" in gone(events, starts=None)[0]
    assert "how many events each node left" in gone(events, events=None)[0]


def test_nodes_are_those_the_run_names() -> None:
    events = logs(n1=[[boot()]], n2=[[committed(1, 1)]])
    assert nodes(history([], events, facts={"nodes": ["n1", "n3"]})) == ["n1", "n3"]
    assert gaps(history([], events)) == ["n2's event log of boot 1 does not begin with its boot"]
    assert [
        event["node"]
        for event in timeline(history([], logs(n1=[[boot() | {"time_ns": 9_000}]], n2=[[boot()]])))
    ] == [
        "n2",
        "n1",
    ]


def test_what_was_answered_was_written_down_before() -> None:
    events = logs(n1=[[boot(), applied(1, 1, "a"), applied(2, 1, "b")]])

    def said(*indices: int) -> list[str]:
        answers = [answer(at, "n1", applied_index=index) for at, index in enumerate(indices)]
        return gaps(history([], events, observations=answers))

    assert said(1, 2) == []
    assert said(3, 1) == [
        "n1's event log of boot 1 ends with index 2 applied, but the node had answered Status with 3"
    ]
    snapshot = logs(n1=[[boot() | {"base_index": 5}]])
    assert gaps(history([], snapshot, observations=[answer(0, "n1", applied_index=5)])) == []
    unknown_boot = [answer(0, "n1", boot=2, applied_index=1)]
    assert "boot 2 ends with index 0 applied" in gaps(history([], snapshot, observations=unknown_boot))[0]


def test_event_logs_are_read_boot_by_boot(tmp_path: Path) -> None:
    (tmp_path / "n1").mkdir()
    for number in (1, 2, 10_000):
        line = f'{{"v":1,"node":"n1","boot":{number},"seq":0,"time_ns":{MS},"event":"term","term":{number}}}'
        (tmp_path / "n1" / f"events-{number:04}.jsonl").write_text(line)
    assert [[event["term"] for event in boot_] for boot_ in load_events(tmp_path)["n1"]] == [
        [1],
        [2],
        [10_000],
    ]


def test_an_action_is_one_of_two() -> None:
    with pytest.raises(HistoryError, match="action 'burn'; a nemesis injects or heals"):
        list(History([nemesis(0, "invoke", "burn")]).faults())


def test_answers_have_what_is_needed_of_them_and_of_its_type() -> None:
    right = answer(0, "n1")
    assert list(answers(History(observations=[right]))) == [right]
    with pytest.raises(
        HistoryError, match=r"observations\.jsonl:2: an answer whose term is missing or of anoth"
    ):
        answers(History(observations=[right, right | {"term": "3"}]))
    with pytest.raises(HistoryError, match=r"worker_states\.jsonl:1: an answer whose workers is missing"):
        worker_states(History(worker_states=[{"time_ns": 0, "node": "n1", "workers": []}]))


@pytest.mark.parametrize("lacking", ["v", "node", "boot", "seq", "time_ns", "event", "term"])
def test_an_event_lacks_nothing(tmp_path: Path, lacking: str) -> None:
    event = {"v": 1, "node": "n1", "boot": 1, "seq": 0, "time_ns": MS, "event": "term", "term": 1}
    (tmp_path / "n1").mkdir()
    path = tmp_path / "n1" / "events-0001.jsonl"
    path.write_text(json.dumps(event) + "\n")
    assert load_events(tmp_path) == {"n1": [[event]]}
    del event[lacking]
    path.write_text(json.dumps(event) + "\n")
    with pytest.raises(HistoryError, match=r"events-0001\.jsonl:1: "):
        load_events(tmp_path)


def test_a_log_is_what_its_events_left_of_it() -> None:
    log = NodeLog()
    log.take(boot() | {"base_index": 2, "base_term": 1})
    log.take(appended((3, 1, "a"), (4, 1, "b"), (5, 2, "c")))
    assert [log.term(index) for index in range(1, 7)] == [None, 1, 1, 1, 2, None]
    log.take(truncated(4))
    assert ([*log.entries], log.last_index) == ([3], 3)
    log.take(appended((4, 3, "d"), (5, 3, "e")))
    log.take(appended((5, 4, "f")))
    assert ([log.term(index) for index in (3, 4, 5)], log.last_index) == ([1, 3, 4], 5)
    log.take(appended((3, 5, "g")))
    assert ([*log.entries], log.last_index, log.entries[3]) == ([3], 3, (5, digest("command", "g")))
    log.take(boot() | {"base_index": 1, "base_term": 7})
    assert (log.entries, log.last_index, log.term(1), log.term(3)) == ({}, 1, 7, None)

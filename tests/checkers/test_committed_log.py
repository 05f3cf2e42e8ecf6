"""Operations against the log that the nodes agreed on. Good and bad in pairs."""

from __future__ import annotations

import json
from typing import Any

from checkers import CHECKERS
from checkers.history import History
from checkers.verdict import Validity, Verdict
from tests.checkers.build import Did, append, applied, boot, cas, history, logs, ops, read, write


def entry(seq: int, op: str, key: str, value: int, expected: int | None = None) -> str:
    command: dict[str, Any] = {"client": "p", "seq": seq, "op": op, "key": key, "value": str(value)}
    if op == "cas":
        command["expected"] = None if expected is None else str(expected)
    return json.dumps(command)


def ran(entries: list[str], *did: Did, outcomes: dict[int, str] | None = None) -> History:
    """A run whose single node applied a session and then these commands, at log indices 2, 3, 4 …"""
    session = applied(1, 1, json.dumps({"client": "p"}), "none") | {"kind": "session"}
    applies = [applied(i, 1, text, (outcomes or {}).get(i, "applied")) for i, text in enumerate(entries, 2)]
    return history(ops(*did), logs(n1=[[boot(), session, *applies]]))


def judged(found: History, name: str = "committed-log") -> Verdict:
    return CHECKERS[name](found)


def kinds(verdict: Verdict) -> list[str]:
    return [anomaly.kind for anomaly in verdict.anomalies]


LIST = [entry(0, "append", "k2", 85), entry(1, "append", "k1", 86), entry(2, "append", "k2", 87)]


def test_a_good_run_of_lists() -> None:
    found = ran(
        LIST,
        append(1, "k2", 85, 10, 20, witness=2),
        append(2, "k1", 86, 15, 60, witness=3),
        append(3, "k2", 87, 30, 40, type="info"),
        read(4, "k2", [85, 87], 50, 60, witness=4),
        append(5, "k2", 99, 50, 60, type="fail", error="not the leader"),
    )
    verdict = judged(found)
    assert verdict.valid is Validity.YES
    assert verdict.evidence == {"acknowledged": 3, "log_end": 4, "placed": 4}


def test_a_stale_read_is_told_as_a_story() -> None:
    found = ran(
        LIST,
        append(3, "k2", 85, 10, 20, witness=2),
        append(4, "k2", 87, 30, 40, witness=4),
        append(5, "k1", 86, 10, 60, witness=3),
        read(7, "k2", [85], 45, 50, witness=3, node="cp-aws-1"),
    )
    verdict = judged(found)
    assert kinds(verdict) == ["stale-read"]
    assert verdict.anomalies[0].message == (
        "Read 5 of k2 (process 7, at cp-aws-1) began after append 3 of 87 to k2 was acknowledged at log"
        " index 4,"
        " yet it was served from applied index 3, which lacks it"
    )
    assert verdict.anomalies[0].ops == (3, 5)


def test_a_read_may_be_older_than_what_it_overlaps() -> None:
    found = ran(
        LIST,
        append(3, "k2", 85, 10, 20, witness=2),
        append(4, "k2", 87, 30, 46, witness=4),
        read(7, "k2", [85], 45, 50, witness=3),
    )
    assert judged(found).valid is Validity.YES


def test_reads_never_go_back() -> None:
    found = ran(LIST, read(1, "k2", [85, 87], 10, 20, witness=4), read(2, "k2", [85], 30, 40, witness=2))
    assert "stale-read" in kinds(judged(found))
    assert "had been served from applied index 4" in judged(found).anomalies[-1].message


def test_a_read_holds_just_what_the_log_says() -> None:
    for content, words in (
        ([85], "element 1 of 2 is 87; it returned the end"),
        ([87, 85], "element 0 of 2 is 85; it returned 87"),
        ([85, 87, 85], "element 2 of 2 is the end; it returned 85 for the second time"),
    ):
        found = ran(LIST, append(1, "k1", 86, 1, 2, witness=3), read(4, "k2", content, 50, 60, witness=4))
        verdict = judged(found)
        assert "wrong-content" in kinds(verdict)
        assert words in next(a.message for a in verdict.anomalies if a.kind == "wrong-content")


def test_commands_stand_in_real_time_order() -> None:
    found = ran(LIST, append(1, "k2", 87, 10, 20, witness=4), append(2, "k2", 85, 30, 40, witness=2))
    verdict = judged(found)
    assert "real-time-order" in kinds(verdict)
    assert verdict.anomalies[-1].ops == (0, 2)


def test_an_unanswered_command_takes_effect_after_it_was_invoked() -> None:
    found = ran(LIST, append(1, "k2", 87, 10, 20, witness=4), append(2, "k2", 85, 30, 40, type="info"))
    assert "real-time-order" in kinds(judged(found))


def test_what_was_acknowledged_is_in_the_log() -> None:
    verdict = judged(ran(LIST, append(1, "k2", 84, 10, 20, witness=3)))
    assert "lost-append" in kinds(verdict)
    lost = next(a for a in verdict.anomalies if a.kind == "lost-append")
    assert (
        "Append 0 of 84 to k2 (process 1) was acknowledged at log index 3, where the log holds"
        in lost.message
    )


def test_what_was_acknowledged_beyond_the_log_was_lost_unless_evidence_is_missing() -> None:
    did = [append(1, "k2", 85, 10, 20, witness=2), append(1, "k2", 88, 30, 40, witness=97)]
    assert "lost-append" in kinds(judged(ran(LIST, *did)))
    verdict = judged(history(ran(LIST, *did).ops, ran(LIST).events, facts={"starts": {"n1": 2}}))
    assert verdict.valid is Validity.NO  # 86 and 87 are still in the log unasked
    whole = [*did, append(2, "k1", 86, 1, 50, witness=3), append(3, "k2", 87, 1, 50, witness=4)]
    verdict = judged(history(ran(LIST, *whole).ops, ran(LIST).events, facts={"starts": {"n1": 2}}))
    assert verdict.valid is Validity.UNKNOWN
    assert any("do not reach that far" in reason for reason in verdict.evidence["reasons"])


def test_a_hole_in_the_log_is_unknown() -> None:
    found = ran(LIST, append(1, "k2", 85, 10, 20, witness=2), read(2, "k2", [85, 87], 30, 40, witness=4))
    hole = [event for event in found.events["n1"][0] if event.get("index") != 3]
    events = {"n1": [[event | {"seq": seq} for seq, event in enumerate(hole)]]}
    verdict = judged(history(found.ops, events))
    assert verdict.valid is Validity.UNKNOWN
    assert "no node left word of index 3" in verdict.summary


def test_an_answer_names_the_index_that_was_taken() -> None:
    verdict = judged(ran(LIST, append(1, "k2", 85, 10, 20, witness=3)))
    assert "wrong-index" in kinds(verdict)


def test_what_was_refused_is_not_in_the_log() -> None:
    refused = append(1, "k2", 85, 10, 20, type="fail", error="not the leader")
    verdict = judged(ran(LIST[:1], refused, read(2, "k2", [85], 30, 40, witness=2)))
    assert kinds(verdict) == ["refused-yet-applied"]
    assert "was refused (not the leader), yet it took effect at log index 2" in verdict.summary


def test_nothing_is_in_the_log_that_nobody_invoked() -> None:
    assert kinds(judged(ran(LIST[:1], read(2, "k2", [85], 30, 40, witness=2)))) == ["unasked"]
    other_list = ran(LIST[:1], read(2, "k9", [], 30, 40, witness=2))
    assert judged(other_list).valid is Validity.YES  # not a list of this load


REGISTER = [entry(0, "put", "r", 1), entry(1, "cas", "r", 2, 1), entry(2, "cas", "r", 3, 1)]


def test_a_good_run_of_registers() -> None:
    found = ran(
        REGISTER,
        read(1, "r", None, 1, 2, witness=1),
        write(1, "r", 1, 10, 20, witness=2),
        cas(2, "r", (1, 2), 30, 40, witness=3),
        cas(3, "r", (1, 3), 50, 60, type="fail", error="mismatch", witness=4),
        read(4, "r", 2, 70, 80, witness=4),
    )
    assert judged(found).valid is Validity.YES


def test_a_compare_and_set_did_what_it_says() -> None:
    before = [write(1, "r", 1, 10, 20, witness=2), cas(2, "r", (1, 2), 30, 40, witness=3)]
    verdict = judged(ran(REGISTER, *before, cas(3, "r", (1, 3), 50, 60, witness=4)))
    assert kinds(verdict) == ["lost-cas"]
    assert "changed nothing there: the register held 2, not 1" in verdict.summary
    mismatch = cas(2, "r", (1, 2), 30, 40, type="fail", error="mismatch", witness=3)
    last = cas(3, "r", (1, 3), 50, 60, type="fail", error="mismatch", witness=4)
    assert kinds(judged(ran(REGISTER, before[0], mismatch, last))) == ["refused-yet-applied"]


def test_a_mismatch_names_an_index_that_is_there_unless_evidence_is_missing() -> None:
    did = [write(1, "r", 1, 10, 20, witness=2)]
    did.append(cas(3, "r", (1, 3), 50, 60, type="fail", error="mismatch", witness=97))
    found = ran(REGISTER[:1], *did)
    assert kinds(judged(found)) == ["wrong-index"]
    gap = history(found.ops, found.events, facts={"starts": {"n1": 2}})
    assert judged(gap).valid is Validity.UNKNOWN
    elsewhere = cas(3, "r", (1, 3), 50, 60, type="fail", error="mismatch", witness=2)
    amiss = ran(REGISTER[:1], did[0], elsewhere)
    assert kinds(judged(history(amiss.ops, amiss.events, facts={"starts": {"n1": 2}}))) == ["wrong-index"]


def test_a_mismatch_has_its_place_in_real_time_too() -> None:
    mismatch = cas(3, "r", (1, 3), 50, 60, type="fail", error="mismatch", witness=4)
    late = cas(2, "r", (1, 2), 70, 80, witness=3)
    assert kinds(judged(ran(REGISTER, write(1, "r", 1, 10, 20, witness=2), mismatch, late))) == [
        "real-time-order"
    ]


def test_a_register_holds_what_the_log_says() -> None:
    did = [write(1, "r", 1, 1, 2, witness=2), read(4, "r", 7, 70, 80, witness=2)]
    verdict = judged(ran(REGISTER[:1], *did))
    assert kinds(verdict) == ["wrong-content"]
    assert "returned 7 from applied index 2, where the log says 1" in verdict.summary


def test_nodes_that_disagree_have_no_one_log() -> None:
    one, other = ran(LIST[:1], append(1, "k2", 85, 1, 2, witness=2)), ran(LIST[1:2])
    both = logs(n1=one.events["n1"], n2=other.events["n1"])
    found = history(one.ops, {"n1": both["n1"], "n2": both["n2"]})
    assert "diverged-log" in kinds(judged(found))
    assert judged(found, "at-most-once").valid is Validity.UNKNOWN


def test_an_operation_without_an_index_cannot_be_judged() -> None:
    found = ran(LIST[:1], append(1, "k2", 85, 1, 2, witness=2), read(2, "k2", [85], 30, 40))
    assert judged(found).valid is Validity.UNKNOWN


def test_equal_values_cannot_be_told_apart() -> None:
    found = ran(LIST[:1], append(1, "k2", 85, 1, 2, witness=2), append(2, "k2", 85, 3, 4, witness=2))
    assert judged(found).valid is Validity.UNKNOWN


def test_no_acknowledged_operation_is_vacuous() -> None:
    assert judged(ran([], append(1, "k2", 85, 1, 2, type="info"))).valid is Validity.VACUOUS


# At most once

TWICE = [LIST[0], LIST[0], LIST[2]]


def test_a_repeated_command_is_applied_once() -> None:
    did = [append(1, "k2", 85, 1, 2, witness=2), append(2, "k2", 87, 3, 4, witness=4)]
    found = ran(TWICE, *did, read(3, "k2", [85, 87], 5, 6, witness=4), outcomes={3: "duplicate"})
    assert judged(found, "at-most-once").valid is Validity.YES
    assert judged(found, "at-most-once").evidence["duplicates"] == 1
    assert judged(found).valid is Validity.YES


def test_a_run_without_a_repeated_command_shows_nothing() -> None:
    verdict = judged(ran(LIST, append(1, "k2", 85, 1, 2, witness=2)), "at-most-once")
    assert verdict.valid is Validity.VACUOUS
    assert "no repeated command reached the log" in verdict.summary


def test_a_repeated_command_that_was_applied_again_is_found() -> None:
    did = append(1, "k2", 85, 1, 2, witness=2)
    verdict = judged(ran(TWICE, did, outcomes={3: "applied"}), "at-most-once")
    assert kinds(verdict) == ["applied-twice"]
    assert "took command 0 of p at index 3 as applied, but it is duplicate" in verdict.summary
    seen = read(3, "k2", [85, 85], 5, 6, witness=3)
    assert kinds(judged(ran(TWICE[:2], did, seen, outcomes={3: "duplicate"}))) == ["wrong-content"]


def test_what_two_logs_hold_is_no_fault_of_the_sessions() -> None:
    session = applied(1, 1, json.dumps({"client": "p"}), "none") | {"kind": "session"}
    applies = [applied(index, 1, LIST[0]) for index in (2, 3)]
    other = applied(2, 2, LIST[2])
    found = history(events=logs(n1=[[boot(), session, *applies]], n2=[[boot(), session, other]]))
    verdict = judged(found, "at-most-once")
    assert verdict.valid is Validity.UNKNOWN
    assert "disagree about the log itself" in verdict.summary


def test_a_command_without_a_session_changes_nothing() -> None:
    did = append(1, "k2", 85, 1, 2, witness=1)
    log = logs(n1=[[boot(), applied(1, 1, LIST[0], "no-session")]])
    verdict = judged(history(ops(did), log))
    assert kinds(verdict) == ["lost-append"]
    assert "its session made it no-session" in verdict.summary


def test_a_lower_sequence_is_never_applied() -> None:
    late = [LIST[2], LIST[0]]
    did = [append(2, "k2", 87, 1, 2, witness=2), append(1, "k2", 85, 1, 2, type="info")]
    assert kinds(judged(ran(late, *did), "at-most-once")) == ["applied-stale"]
    assert judged(ran(late, *did, outcomes={3: "stale"}), "at-most-once").valid is Validity.VACUOUS


def test_a_first_command_is_never_dropped_as_a_duplicate() -> None:
    verdict = judged(ran(LIST[:1], outcomes={2: "duplicate"}), "at-most-once")
    assert kinds(verdict) == ["wrong-outcome"]


def test_a_repeated_command_gets_the_first_answer() -> None:
    verdict = judged(
        ran(TWICE, append(1, "k2", 85, 1, 2, witness=3), outcomes={3: "duplicate"}), "at-most-once"
    )
    assert kinds(verdict) == ["wrong-answer"]
    assert "stands at log index 2, but was answered with 3" in verdict.summary


def test_one_operation_under_two_sequences_is_still_one_operation() -> None:
    twice = [entry(0, "append", "k2", 85), entry(1, "append", "k2", 85)]
    found = ran(twice, append(1, "k2", 85, 1, 2, witness=2))
    assert kinds(judged(found, "at-most-once")) == ["applied-twice"]
    assert kinds(judged(found)) == ["duplicate-apply"]

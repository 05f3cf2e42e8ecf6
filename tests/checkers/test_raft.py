"""The checkers of Raft's own promises, on event logs small enough to read. Good and bad in pairs."""

from __future__ import annotations

from checkers import CHECKERS
from checkers.history import History
from checkers.verdict import Validity, Verdict
from tests.checkers.build import (
    answer,
    appended,
    applied,
    at,
    boot,
    committed,
    counted,
    history,
    logs,
    role,
    term,
    truncated,
    vote,
)

# n1 wins term 1 with n2's vote, and commits one entry with n2; n3 learns of it.
WIN = [boot(), term(1), vote(1, "n1"), at(10, role("leader", 1))]
LED = [*WIN, at(11, appended((1, 1, "a"))), at(20, committed(1, 1, "leader")), applied(1, 1, "a")]
FOLLOWED = [
    boot(),
    term(1),
    vote(1, "n1"),
    at(15, appended((1, 1, "a"))),
    at(25, committed(1, 1)),
    applied(1, 1, "a"),
]
LATE = [boot(), at(12, term(1)), at(30, appended((1, 1, "a"))), committed(1, 1), applied(1, 1, "a")]
GOOD = logs(n1=[LED], n2=[FOLLOWED], n3=[LATE])


def judged(name: str, found: History) -> Verdict:
    return CHECKERS[name](found)


def kinds(verdict: Verdict) -> list[str]:
    return [anomaly.kind for anomaly in verdict.anomalies]


def test_the_good_run_is_good() -> None:
    for name in ("single-leader", "one-vote", "log-matching", "leader-completeness", "monotone", "exits"):
        assert judged(name, history(events=GOOD)).valid is Validity.YES, name


def test_nothing_to_judge_is_vacuous() -> None:
    idle = history(events=logs(n1=[[boot()]], n2=[[boot()]]))
    for name in ("single-leader", "one-vote", "log-matching", "leader-completeness"):
        assert judged(name, idle).valid is Validity.VACUOUS, name


def test_two_leaders_of_one_term_are_named_with_their_events() -> None:
    usurper = [boot(), term(1), vote(1, "n3"), at(13, role("leader", 1))]
    verdict = judged("single-leader", history(events=logs(n1=[LED], n2=[FOLLOWED], n3=[usurper])))
    assert kinds(verdict)[0] == "two-leaders"
    assert "n1 and n3 all led term 1; see n1 (boot 1, event 3) and n3 (boot 1, event 3)" in verdict.summary
    assert [event["node"] for event in verdict.anomalies[0].events] == ["n1", "n3"]


def test_a_single_leader_takes_answers_as_well_as_events() -> None:
    verdict = judged("single-leader", history(events=GOOD, observations=[]))
    assert verdict.valid is Validity.VACUOUS
    assert "no node ever answered Status" in verdict.summary


def test_leaders_of_different_terms_are_fine() -> None:
    heir = [*LATE, term(2), vote(2, "n3"), role("leader", 2)]
    voter = [*FOLLOWED, term(2), vote(2, "n3")]
    assert (
        judged("single-leader", history(events=logs(n1=[LED], n2=[voter], n3=[heir]))).valid is Validity.YES
    )


def test_a_leader_is_one_too_where_only_its_answer_shows_it() -> None:
    seen = answer(9, "n2", term=1, role="leader")
    verdict = judged("single-leader", history(events=GOOD, observations=[seen]))
    assert kinds(verdict)[0] == "two-leaders"
    assert "n2's own answer to Status" in verdict.summary


def test_a_leader_elected_by_itself_alone_is_found() -> None:
    """The majority of three is two, not n // 2."""
    voter = [event for event in FOLLOWED if event["event"] != "vote"]
    verdict = judged("single-leader", history(events=logs(n1=[LED], n2=[voter], n3=[LATE])))
    assert kinds(verdict) == ["no-majority"]
    assert "with the votes of 1 of 3 nodes (n1)" in verdict.summary


def test_a_single_node_elects_itself() -> None:
    assert judged("single-leader", history(events=logs(n1=[LED]))).valid is Validity.YES


def test_a_vote_counts_over_restarts() -> None:
    before, after = [boot(), term(1), vote(1, "n1")], [boot(term=1, voted_for="n1"), vote(1, "n2")]
    verdict = judged("one-vote", history(events=logs(n2=[before, after])))
    assert kinds(verdict) == ["two-votes"]
    assert "n2 voted twice in term 1: for n1, see n2 (boot 1, event 2)" in verdict.summary
    assert (
        judged("one-vote", history(events=logs(n2=[before, [boot(1, "n1"), vote(1, "n1")]]))).valid
        is Validity.YES
    )


def test_what_a_node_recovers_it_had_voted_even_if_killed_before_it_wrote_so() -> None:
    verdict = judged("one-vote", history(events=logs(n2=[[boot()], [boot(1, "n1"), vote(1, "n3")]])))
    assert kinds(verdict) == ["two-votes"]


def test_a_term_and_a_vote_outlive_a_restart() -> None:
    before = [boot(), term(5), vote(5, "n1")]
    for after, kind in (
        (boot(4, None), "term-fell"),
        (boot(5, None), "vote-lost"),
        (boot(5, "n2"), "vote-lost"),
    ):
        assert kinds(judged("monotone", history(events=logs(n1=[before, [after]])))) == [kind]
    for after in (boot(5, "n1"), boot(6, None), boot(6, "n3")):
        assert judged("monotone", history(events=logs(n1=[before, [after]]))).valid is Validity.YES


def test_a_term_never_falls_within_a_boot() -> None:
    verdict = judged("monotone", history(events=logs(n1=[[boot(), term(5), term(4)]])))
    assert kinds(verdict) == ["term-fell"]
    assert "n1 (boot 1, event 2) went to term 4 after term 5" in verdict.summary


def test_the_commit_index_never_falls_within_a_boot_but_starts_anew_with_one() -> None:
    first = [boot(), term(1), committed(3, 1), committed(2, 1)]
    assert kinds(judged("monotone", history(events=logs(n1=[first])))) == ["commit-fell"]
    assert (
        judged("monotone", history(events=logs(n1=[first[:3], [boot(1), committed(1, 1)]]))).valid
        is Validity.YES
    )


def test_the_commit_index_may_stay_where_it_is() -> None:
    same = [boot(), term(1), committed(3, 1), term(2), committed(3, 2)]
    assert judged("monotone", history(events=logs(n1=[same]))).valid is Validity.YES


def test_what_a_node_answers_never_falls_either() -> None:
    def seen(time_ns: int, commit_index: int, number: int = 1) -> dict[str, object]:
        return answer(time_ns, "n1", boot=number, term=1, commit_index=commit_index)

    events = logs(n1=[[boot()], [boot()]])
    fell = history(events=events, observations=[seen(1, 5), seen(2, 4)])
    assert kinds(judged("monotone", fell)) == ["commit-fell"]
    anew = history(events=events, observations=[seen(1, 5), seen(2, 4, number=2)])
    assert judged("monotone", anew).valid is Validity.YES


def test_a_recovered_log_holds_what_was_durable() -> None:
    before = [boot(), term(1), appended((1, 1, "a"), (2, 1, "b"), (3, 1, "c"))]
    short = [boot(1, last_index=2, last_term=1), appended((1, 1, "a"), (2, 1, "b"), recovered=True)]
    verdict = judged("monotone", history(events=logs(n1=[before, short])))
    assert kinds(verdict) == ["log-lost"]
    assert "up to index 2, but it had made entries durable up to index 3; 1 are lost" in verdict.summary


def test_a_recovered_log_may_hold_more_than_the_events_said() -> None:
    """A kill between the sync and the event."""
    before = [boot(), term(1), appended((1, 1, "a"))]
    longer = [boot(1, last_index=2, last_term=1), appended((1, 1, "a"), (2, 1, "b"), recovered=True)]
    assert judged("monotone", history(events=logs(n1=[before, longer]))).valid is Validity.YES


def test_a_recovered_log_may_end_in_what_was_written_over_a_removed_tail() -> None:
    before = [boot(), term(1), appended((1, 1, "a"), (2, 1, "b"), (3, 1, "c"))]
    other = [boot(2, last_index=2, last_term=2), appended((1, 1, "a"), (2, 2, "x"), recovered=True)]
    assert judged("monotone", history(events=logs(n1=[before, other]))).valid is Validity.YES


def test_one_index_and_term_is_one_entry() -> None:
    other = [boot(), term(1), appended((1, 1, "z"))]
    verdict = judged("log-matching", history(events=logs(n1=[LED], n2=[FOLLOWED], n3=[other])))
    assert kinds(verdict) == ["log-mismatch"]
    assert {event["node"] for event in verdict.anomalies[0].events} == {"n1", "n3"}


def test_the_same_entry_has_the_same_log_before_it() -> None:
    one = [boot(), appended((1, 1, "a"), (2, 3, "c"))]
    other = [boot(), appended((1, 2, "b"), (2, 3, "c"))]
    assert kinds(judged("log-matching", history(events=logs(n1=[one], n2=[other])))) == ["prefix-mismatch"]


def test_uncommitted_entries_may_differ_by_term_and_be_truncated() -> None:
    deposed = [boot(), term(1), appended((1, 1, "a"), (2, 1, "lost")), truncated(2), appended((2, 2, "b"))]
    deposed += [committed(2, 2), applied(1, 1, "a"), applied(2, 2, "b")]
    heir = [boot(), appended((1, 1, "a")), term(2), appended((2, 2, "b"))]
    heir += [committed(2, 2, "leader"), applied(1, 1, "a"), applied(2, 2, "b")]
    assert judged("log-matching", history(events=logs(n1=[deposed], n2=[heir]))).valid is Validity.YES


def test_an_index_is_applied_as_one_entry_for_ever_over_boots_too() -> None:
    again = [boot(1, last_index=1, last_term=2), appended((1, 2, "b"), recovered=True), committed(1, 2)]
    again.append(applied(1, 2, "b"))
    verdict = judged("log-matching", history(events=logs(n1=[LED, again])))
    assert kinds(verdict) == ["diverged-apply"]
    assert "command a of term 1" in verdict.summary and "command b of term 2" in verdict.summary


def test_a_node_applies_what_its_own_log_holds() -> None:
    """Even where every node applies the same wrong entry."""
    other = [[*LED[:-1], applied(1, 2, "b")]], [[*FOLLOWED[:-1], applied(1, 2, "b")]]
    verdict = judged("log-matching", history(events=logs(n1=other[0], n2=other[1])))
    assert kinds(verdict) == ["applied-unheld", "applied-unheld"]
    assert (
        "applied command b of term 2 at index 1, where its own log holds an entry of term 1"
        in verdict.summary
    )
    replaced = [boot(), appended((1, 1, "a")), truncated(1), appended((1, 2, "b")), committed(1, 2)]
    good = history(events=logs(n1=[[*replaced, applied(1, 2, "b")]]))
    assert judged("log-matching", good).valid is Validity.YES
    ahead_of_its_disk = [*WIN, at(20, committed(1, 1, "leader")), applied(1, 1, "a")]
    good = history(events=logs(n1=[ahead_of_its_disk], n2=[FOLLOWED]))
    assert judged("log-matching", good).valid is Validity.YES


def test_what_was_applied_is_never_truncated() -> None:
    verdict = judged(
        "log-matching", history(events=logs(n1=[[*LED, truncated(1)]], n2=[FOLLOWED], n3=[LATE]))
    )
    assert kinds(verdict) == ["truncated-committed"]


def test_apply_has_its_turn() -> None:
    skip = [boot(), appended((1, 1, "a"), (2, 1, "b")), committed(2, 1), applied(2, 1, "b")]
    assert kinds(judged("log-matching", history(events=logs(n1=[skip])))) == ["apply-order"]
    early = [boot(), appended((1, 1, "a")), applied(1, 1, "a")]
    assert kinds(judged("log-matching", history(events=logs(n1=[early])))) == ["applied-uncommitted"]


def test_what_a_snapshot_holds_has_had_its_turn() -> None:
    compacted = boot(1, last_index=6, last_term=1) | {"base_index": 5, "base_term": 1}
    log = [compacted, appended((6, 1, "f"), recovered=True), committed(6, 1), applied(6, 1, "f")]
    assert judged("log-matching", history(events=logs(n1=[log]))).valid is Validity.YES


def test_a_commit_takes_a_majority_of_disks() -> None:
    late = [event | ({"time_ns": 22_000_000} if event["event"] == "append" else {}) for event in FOLLOWED]
    verdict = judged("leader-completeness", history(events=logs(n1=[LED], n2=[late], n3=[LATE])))
    assert kinds(verdict) == ["commit-without-majority"]
    assert "when 1 of 3 nodes had it on disk (n1)" in verdict.summary


def test_a_majority_of_followers_is_one_before_the_leaders_own_disk() -> None:
    behind = [*WIN, at(20, committed(1, 1, "leader")), applied(1, 1, "a"), at(50, appended((1, 1, "a")))]
    quick = [event | ({"time_ns": 15_000_000} if event["event"] == "append" else {}) for event in LATE]
    found = history(events=logs(n1=[behind], n2=[FOLLOWED], n3=[quick]))
    assert judged("leader-completeness", found).valid is Validity.YES


def test_a_leader_does_not_count_copies_of_an_earlier_terms_entry() -> None:
    """Figure 8 of the Raft paper."""
    heir = [
        *FOLLOWED[:4],
        at(40, term(2)),
        vote(2, "n2"),
        role("leader", 2),
        at(50, committed(1, 2, "leader")),
    ]
    found = history(events=logs(n1=[[*WIN, at(11, appended((1, 1, "a")))]], n2=[heir], n3=[LATE]))
    assert kinds(judged("leader-completeness", found)) == ["committed-old-term"]


def test_a_later_leader_holds_what_was_committed() -> None:
    empty = [boot(), at(40, term(2)), vote(2, "n3"), role("leader", 2)]
    verdict = judged("leader-completeness", history(events=logs(n1=[LED], n2=[FOLLOWED], n3=[empty])))
    assert kinds(verdict) == ["leader-incomplete"]
    assert "n3 (boot 1, event 3) became leader of term 2 without index 1 (term 1)" in verdict.summary
    heir = [*LATE, at(40, term(2)), vote(2, "n3"), role("leader", 2)]
    found = history(events=logs(n1=[LED], n2=[FOLLOWED], n3=[heir]))
    assert judged("leader-completeness", found).valid is Validity.YES


def test_a_later_leader_may_have_compacted_what_was_committed() -> None:
    compacted = boot(last_index=2, last_term=1) | {"base_index": 2, "base_term": 1}
    heir = [compacted, at(40, term(2)), vote(2, "n3"), role("leader", 2)]
    found = history(events=logs(n1=[LED], n2=[FOLLOWED], n3=[heir]))
    assert judged("leader-completeness", found).valid is Validity.YES


def test_another_entry_in_its_place_is_not_what_was_committed() -> None:
    other = [
        boot(),
        at(30, term(2)),
        appended((1, 2, "x")),
        at(40, term(3)),
        vote(3, "n3"),
        role("leader", 3),
    ]
    verdict = judged("leader-completeness", history(events=logs(n1=[LED], n2=[FOLLOWED], n3=[other])))
    assert kinds(verdict) == ["leader-incomplete"]
    assert "it has an entry of term 2 there" in verdict.summary


def test_a_follower_may_learn_in_a_later_term_what_was_committed() -> None:
    late = [*LATE[:3], at(40, term(2)), committed(1, 2), applied(1, 1, "a")]
    found = history(events=logs(n1=[LED], n2=[FOLLOWED], n3=[late]))
    assert judged("leader-completeness", found).valid is Validity.YES


def test_a_leader_need_not_hold_what_a_later_term_commits() -> None:
    """One of an earlier term that hears late of its election, after a later leader has committed."""
    slow = [boot(), term(1), vote(1, "n3"), at(60, role("leader", 1))]
    heir = [boot(), at(5, term(1)), vote(1, "n3"), term(2), vote(2, "n1"), at(10, role("leader", 2))]
    heir += [appended((1, 2, "a")), at(20, committed(1, 2, "leader"))]
    voter = [boot(), at(5, term(2)), vote(2, "n1"), appended((1, 2, "a"))]
    found = history(events=logs(n1=[heir], n2=[voter], n3=[slow]))
    assert judged("leader-completeness", found).valid is Validity.YES


def test_a_lost_truncation_or_boot_is_not_held_against_the_node() -> None:
    """Over a gap, what looks taken back may have been given up by an event that is missing."""
    before = [boot(), term(1), appended((1, 1, "a"), (2, 1, "b")), truncated(2), committed(1, 1)]
    after = [boot(1, last_index=1, last_term=1), appended((1, 1, "a"), recovered=True), committed(1, 1)]
    whole = logs(n1=[before, after])
    assert judged("monotone", history(events=whole)).valid is Validity.YES
    facts = {"events": counted(whole)}
    cut = {"n1": [whole["n1"][0][:3], whole["n1"][1]]}
    assert judged("monotone", history(events=cut, facts=facts)).valid is Validity.UNKNOWN
    later = logs(n1=[[boot(), term(1), committed(5, 1)], [boot(1), committed(3, 1)]])
    headless = {"n1": [later["n1"][0], later["n1"][1][1:]]}
    assert judged("monotone", history(events=headless)).valid is Validity.UNKNOWN
    # Index 2 was replaced by one of term 2 before index 3 came.
    full = [
        boot(),
        appended((1, 1, "a"), (2, 1, "b")),
        truncated(2),
        appended((2, 2, "x")),
        appended((3, 2, "c")),
    ]
    other = [boot(), appended((1, 1, "a"), (2, 2, "x"), (3, 2, "c")), committed(1, 2), applied(1, 1, "a")]
    both = logs(n1=[full], n2=[other])
    assert judged("log-matching", history(events=both)).valid is Validity.YES
    torn = both | {"n1": [both["n1"][0][:2] + both["n1"][0][4:]]}
    assert judged("log-matching", history(events=torn)).valid is Validity.UNKNOWN


def test_an_unasked_exit_is_named() -> None:
    ended = [{"node": "n2", "time_ns": 5, "code": 4}]
    verdict = judged("exits", history(events=GOOD, facts={"exits": ended}))
    assert kinds(verdict) == ["unexpected-exit"]
    assert "n2 ended with exit code 4" in verdict.summary
    assert judged("exits", history(events=GOOD, facts={"exits": None})).valid is Validity.UNKNOWN


def test_the_same_command_of_two_terms_is_two_entries() -> None:
    a = [boot(), term(1), appended((1, 1, "x")), committed(1, 1), applied(1, 1, "x")]
    b = [boot(), term(2), appended((1, 2, "x")), committed(1, 2), applied(1, 2, "x")]
    verdict = CHECKERS["log-matching"](history(events=logs(n1=[a], n2=[b])))
    assert [anomaly.kind for anomaly in verdict.anomalies] == ["diverged-apply"]


def test_what_was_applied_before_a_restart_stays_after_it() -> None:
    first = [boot(), term(1), appended((1, 1, "x")), committed(1, 1), applied(1, 1, "x")]
    second = [boot(1, None, 1, 1), appended((1, 1, "x"), recovered=True), truncated(1)]
    verdict = CHECKERS["log-matching"](history(events=logs(n1=[first, second])))
    assert [anomaly.kind for anomaly in verdict.anomalies] == ["truncated-committed"]


def test_an_entry_is_applied_once_in_a_boot() -> None:
    again = [boot(), appended((1, 1, "x")), committed(1, 1), applied(1, 1, "x"), applied(1, 1, "x")]
    verdict = CHECKERS["log-matching"](history(events=logs(n1=[again])))
    assert [anomaly.kind for anomaly in verdict.anomalies] == ["apply-order"]


def test_a_role_of_an_earlier_term_is_a_term_that_fell() -> None:
    verdict = CHECKERS["monotone"](history(events=logs(n1=[[boot(), term(2), role("follower", 1)]])))
    assert [anomaly.kind for anomaly in verdict.anomalies] == ["term-fell"]
